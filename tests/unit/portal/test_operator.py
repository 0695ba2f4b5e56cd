"""The operator console."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.portal.conftest import opened
from tests.unit.portal.people import EMAIL, Portal, Somebody

from oxlo.fleet import registry
from oxlo.fleet.registry import ReplicaList, ReplicaState
from oxlo.plans import SHIPPED, apikey, load
from oxlo.store import accounts, audit, identity, keys, leaving
from oxlo.testing.replicas import replica

PAGES = ("", "/accounts", "/models", "/plans", "/promos", "/audit", "/outbox")


@pytest.fixture
async def boss(portal: Portal) -> Somebody:
    """A signed-in operator."""
    somebody = await portal.newcomer("boss@example.com")
    async with portal.database.write() as db:
        account = await identity.by_email(db, "boss@example.com")
        assert account is not None
        await identity.set_role(db, account, "operator")
    return somebody


async def _do(portal: Portal, boss: Somebody, action: str, **fields: str) -> int:
    account = await portal.account()
    page = f"/operator/accounts/{account.id}"
    return (await boss.send(f"{page}/{action}", page=page, **fields)).status_code


async def test_console_is_not_there_for_users(portal: Portal, boss: Somebody) -> None:
    """Users get a 404 at every page and form."""
    somebody = await portal.newcomer()
    account = await portal.account("boss@example.com")
    for page in (*PAGES, f"/accounts/{account.id}"):
        assert (await somebody.get(f"/operator{page}")).status_code == 404
        assert (await boss.get(f"/operator{page}")).status_code == 200
    path = f"/operator/accounts/{account.id}/role"
    assert (await somebody.send(path, page="/dashboard", role="user")).status_code == 404
    assert (await portal.somebody().get("/operator")).status_code == 303


async def test_old_addresses_lead_on(portal: Portal, boss: Somebody) -> None:
    """Former paths redirect, for operators only."""
    moved = {"/operator/overview": "/operator", "/operator?q=ann": "/operator/accounts?q=ann"}
    for old, new in moved.items():
        reply = await boss.get(old)
        assert (reply.status_code, reply.headers["location"]) == (308, new)
    somebody = await portal.newcomer()
    assert (await somebody.get("/operator/overview")).status_code == 404


async def test_overview_says_what_waits(portal: Portal, boss: Somebody) -> None:
    """Missing models, mail server and second factor are shown, with links to fix them."""
    page = (await boss.get("/operator")).text
    assert "No model is served." in page
    assert "which is not encrypted" in page
    for way in ("/docs/portal#mails", "/dashboard/settings#totp", "/docs/operations#back-up"):
        assert f'href="{way}"' in page
        if way.startswith("/docs"):
            address, _, anchor = way.partition("#")
            assert f'id="{anchor}"' in (await boss.get(address)).text
    await boss.send("/dashboard/billing", plan="pro")
    page = (await boss.get("/operator")).text
    assert "1 account waiting for a plan." in page
    found = [replica("smollm2-135m", ReplicaState.SICK)]
    registry.write(portal.services.settings.replicas_file, ReplicaList(0.0, tuple(found)))
    portal.clock.advance(60)
    page = (await boss.get("/operator")).text
    assert "1 model not ready: smollm2-135m." in page


async def test_account_without_an_address(portal: Portal, boss: Somebody) -> None:
    """An account created on the command line has nothing to verify."""
    async with portal.database.write() as db:
        await accounts.create(db, "nightly", load()["free"], now=portal.clock())
    page = (await boss.get("/operator/accounts?q=nightly")).text
    assert "Open" in page
    assert "Not confirmed" not in page


async def test_accounts_are_found(portal: Portal, boss: Somebody) -> None:
    """By part of the name or address, in any case; wildcards are literal."""
    await portal.newcomer()
    assert EMAIL in (await boss.get("/operator/accounts?q=ANN@ex")).text
    account = await portal.account()
    async with portal.database.write() as db:
        key, _ = await keys.issue(
            db, account.id, name="laptop", signing=b"0" * 32, now=portal.clock()
        )
    for words in (key.id, key.prefix):
        assert EMAIL in (await boss.get(f"/operator/accounts?q={words}")).text
    assert EMAIL not in (await boss.get("/operator/accounts?q=%25")).text


async def test_receipt_is_found_by_its_id(portal: Portal, boss: Somebody) -> None:
    """Searching a request id opens its receipt, and the audit log records the view."""
    await portal.newcomer()
    account, operator = await portal.account(), await portal.account("boss@example.com")
    await portal.called()
    found = await boss.get("/operator/accounts?q=req_1")
    assert found.headers["location"] == f"/operator/accounts/{account.id}/requests/req_1"
    page = (await boss.get(found.headers["location"])).text
    assert "The call was answered: it counts as one request." in page
    assert f'href="/operator/accounts/{account.id}?request=req_1#refund"' in page
    async with portal.database.read() as db:
        (entry,) = await audit.latest(db, action="receipt", limit=9)
    assert (entry.actor, entry.target, entry.detail) == (operator.id, account.id, "req_1")
    assert "receipt.viewed" in (await boss.get(f"/operator/accounts/{account.id}")).text


async def test_requests_of_an_account_are_filtered(portal: Portal, boss: Somebody) -> None:
    """Operators have the owner's filters, and every row links to its receipt."""
    await portal.newcomer()
    await portal.called()
    await portal.called(id="req_2", outcome="failed", status=502)
    path = f"/operator/accounts/{(await portal.account()).id}/requests"
    page = (await boss.get(f"{path}?outcome=failed")).text
    assert f'href="{path}/req_2"' in page
    assert "req_1" not in page
    assert (await boss.get(f"{path}/req_9")).status_code == 404
    assert "requests.csv" not in page
    assert (await boss.get("/operator/accounts/acct_9/requests")).status_code == 404


async def test_receipts_are_for_operators_alone(portal: Portal, boss: Somebody) -> None:
    """Others get a 404; a key, even an operator's, only sees its own account's."""
    await portal.newcomer()
    await portal.called()
    account, operator = await portal.account(), await portal.account("boss@example.com")
    thief = await portal.newcomer("bob@example.com")
    for path in ("", "/req_1", "?q=req_1"):
        page = await thief.get(f"/operator/accounts/{account.id}/requests{path}")
        assert page.status_code == 404
        assert "2000" not in page.text
    assert (await thief.get("/operator/accounts?q=req_1")).status_code == 404
    nobody = await portal.somebody().get(f"/operator/accounts/{account.id}/requests/req_1")
    assert nobody.headers["location"].startswith("/login?")
    for headers in ({"x-oxlo-account": operator.id, "x-oxlo-role": "operator"}, {}):
        reply = await boss.get("/v1/requests/req_1", headers=headers)
        assert reply.status_code == (404 if headers else 401)
    assert (await boss.get("/dashboard/requests/req_1")).status_code == 404
    async with portal.database.read() as db:
        assert await audit.latest(db, action="receipt", limit=9) == []


async def test_receipt_outlives_its_account(portal: Portal, boss: Somebody) -> None:
    """The receipt of a deleted account is found, and is anonymous."""
    await portal.newcomer()
    await portal.called()
    account = await portal.account()
    async with portal.database.write() as db:
        await leaving.delete_account(db, account)
    found = await boss.get("/operator/accounts?q=req_1")
    page = await boss.get(found.headers["location"])
    assert page.status_code == 200
    assert "Of an account that was deleted" in page.text
    assert account.id not in page.text


async def test_plan_grant_and_log(portal: Portal, boss: Somebody) -> None:
    """Plans and grants are applied, and logged with actor and reason."""
    somebody = await portal.newcomer()
    assert await _do(portal, boss, "plan", plan="pro") == 303
    assert await _do(portal, boss, "plan", plan="gold") == 400
    assert await _do(portal, boss, "grant", requests="25", reason="a slow day of ours") == 303
    assert await _do(portal, boss, "grant", requests="0", reason="nothing") == 400
    page = (await somebody.get("/dashboard")).text
    assert "325 of 325 requests left today" in page
    assert "25 of them were granted to you" in page
    account = await portal.account()
    async with portal.database.read() as db:
        entries = await audit.latest(db, about=account.id, limit=9)
    boss_id = (await portal.account("boss@example.com")).id
    deeds = {e.action: e for e in entries if e.actor == boss_id}
    assert deeds["account.plan"].detail == "free to pro"
    assert deeds["requests.granted"].detail == "25: a slow day of ours"


async def test_closed_account(portal: Portal, boss: Somebody) -> None:
    """Its keys and sessions end and it cannot log in, until reopened."""
    somebody = await portal.newcomer()
    reply = await somebody.send("/dashboard/api-keys", name="k")
    secret = re.search(r'data-copy="(sk_[\w-]+)"', reply.text)
    assert secret
    assert await _do(portal, boss, "close") == 303
    assert not await somebody.is_in()
    assert (await somebody.log_in()).status_code == 401
    async with portal.database.read() as db:
        assert await keys.caller(db, apikey.digest(secret[1]), now=portal.clock.now) is None
    assert await _do(portal, boss, "reopen") == 303
    assert (await somebody.log_in()).status_code == 303


async def test_operator_does_not_lock_the_door_behind(portal: Portal, boss: Somebody) -> None:
    """The only operator cannot be closed, demoted or deleted."""
    account = await portal.account("boss@example.com")
    page = f"/operator/accounts/{account.id}"
    assert (await boss.send(f"{page}/close", page=page)).status_code == 400
    assert (await boss.send(f"{page}/role", page=page, role="user")).status_code == 400
    settings = "/dashboard/settings"
    reply = await boss.send(f"{settings}/delete", page=settings, password="four plain words here")
    assert "You are the only operator" in reply.text


async def test_link_for_who_has_lost_the_password(portal: Portal, boss: Somebody) -> None:
    """Shown once, the link sets a password."""
    await portal.newcomer()
    account = await portal.account()
    page = f"/operator/accounts/{account.id}"
    reply = await boss.send(f"{page}/link", page=page)
    link = re.search(r'data-copy="https?://[^/]+(/welcome\?token=[\w-]+)"', reply.text)
    assert link
    assert (await portal.somebody().get(link[1])).status_code == 200
    assert link[1] not in (await boss.get(page)).text


async def test_codes_of_who_has_lost_the_device(portal: Portal, boss: Somebody) -> None:
    """Codes are off, and a mail says so: the account's owner may not have asked for it."""
    await portal.newcomer()
    async with portal.database.write() as db:
        await identity.confirm_totp(db, await portal.account(), now=portal.clock.now)
    assert await _do(portal, boss, "totp") == 303
    assert (await portal.account()).totp_at is None
    assert await portal.link("One-time codes are off") == "/forgot"


async def test_promo_codes(portal: Portal, boss: Somebody) -> None:
    """A code is created, redeemed in Settings, and ended."""
    fields = {"code": "team-2026", "plan": "pro", "plan_days": "30", "most_uses": "5"}
    assert (await boss.send("/operator/promos", **fields)).status_code == 303
    assert "exists" in (await boss.send("/operator/promos", **fields)).text.replace(
        "already", "exists"
    )
    somebody = await portal.newcomer()
    page = "/dashboard/settings"
    reply = await somebody.send(f"{page}/promo", page=page, promo="TEAM-2026")
    assert reply.status_code == 303
    assert (await portal.account()).plan == "pro"
    await boss.send("/operator/promos/end", page="/operator/promos", code="TEAM-2026")
    late = await portal.somebody("198.51.100.1").sign_up("bob@example.com", promo="TEAM-2026")
    assert late.status_code == 400


async def test_guessing_codes_is_braked(portal: Portal) -> None:
    """Ten wrong codes, then a wait."""
    somebody, page = await portal.newcomer(), "/dashboard/settings"
    for number in range(10):
        await somebody.send(f"{page}/promo", page=page, promo=f"GUESS{number}")
    assert (
        "Too many wrong codes" in (await somebody.send(f"{page}/promo", page=page, promo="X")).text
    )


async def test_replicas_are_shown(portal: Portal, boss: Somebody) -> None:
    """Replicas with state and reason; without a gateway the page says so."""
    sick = replica("smollm2-135m", ReplicaState.SICK, reason="the process ended", generation=8)
    file = portal.services.settings.replicas_file
    registry.write(file, ReplicaList(written=1.0, replicas=(sick,)))
    page = (await boss.get("/operator/models")).text
    assert "smollm2-135m-1" in page
    assert "the process ended" in page
    assert 'data-label="Restarts">7<' in page
    assert "No gateway answers" in page
    part = (
        await boss.get("/operator/models", headers={"hx-request": "true", "hx-target": "fleet"})
    ).text
    assert part.lstrip().startswith('<div id="fleet"')


async def test_outbox_shows_mails(portal: Portal, boss: Somebody) -> None:
    """Without a mail server the operator can read the links."""
    await portal.newcomer()
    page = (await boss.get("/operator/outbox")).text
    assert EMAIL in page
    assert "/verify?token=" in page


async def test_plans_are_edited_live(portal: Portal, boss: Somebody) -> None:
    """A new limit applies to the next page; old versions can be loaded."""
    somebody = await portal.newcomer()
    old = (await boss.get("/operator/plans")).text
    assert "requests_per_day = 60" in old
    text = SHIPPED.read_text().replace("requests_per_day = 60", "requests_per_day = 75")
    reply = await boss.send("/operator/plans", plans=text)
    assert reply.headers["location"] == "/operator/plans?done=1"
    assert "75 of 75 requests left today" in (await somebody.get("/dashboard")).text
    assert "requests_per_day = 75" in (await boss.get("/operator/plans?version=1")).text
    assert (await boss.get("/operator/plans?version=2")).status_code == 400
    async with portal.database.read() as db:
        (entry,) = await audit.latest(db, action="plans", limit=5)
    assert entry.target == "version 1"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[plan.free", "plans:"),
        ("[plan.free]\nname = 5", "plan.free"),
        ("", "plan"),
        ('[plan.pro]\nname = "Pro"\ntiers = []\nqueue = "high"', "accounts are on free"),
    ],
)
async def test_plans_that_cannot_be(portal: Portal, boss: Somebody, text: str, words: str) -> None:
    """Invalid plans, or plans that leave accounts without one, change nothing."""
    reply = await boss.send("/operator/plans", plans=text)
    assert reply.status_code == 400
    assert words in reply.text
    assert not portal.services.settings.edited_plans.exists()


async def test_plans_of_the_environment_are_not_edited(
    portal: Portal, boss: Somebody, tmp_path: Path
) -> None:
    """If OXLO_PLANS is set, the page is read-only."""
    file = tmp_path / "mine.toml"
    file.write_text(SHIPPED.read_text())
    settings = replace(portal.services.settings, plans=file)
    async with opened(settings) as other:
        somebody = other.somebody()
        await somebody.log_in("boss@example.com")
        assert "edit it there" in (await somebody.get("/operator/plans")).text
        reply = await somebody.send("/operator/plans", page="/dashboard", plans="x")
        assert reply.status_code == 400
