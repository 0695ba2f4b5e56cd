"""Keys, usage, requests and settings, as a user sees them."""

import csv
import io
import json
import re

import msgspec
import pytest
from starlette.routing import Route
from tests.unit.portal.conftest import opened
from tests.unit.portal.people import EMAIL, PASSWORD, Portal, Somebody, csrf

from oxlo.gateway.endpoints import INFERENCE
from oxlo.plans import apikey
from oxlo.portal import totp
from oxlo.portal.dashboard import csvs, keyform
from oxlo.settings import Settings
from oxlo.store import calls, identity, keys, leaving, sessions
from oxlo.testing import journal

DAY = 86400


async def _key(somebody: Somebody, **fields: str) -> str:
    """The new key's secret on its page."""
    reply = await somebody.send("/dashboard/api-keys", **{"name": "laptop", **fields})
    found = re.search(r'data-copy="(sk_[\w-]+)"', reply.text)
    assert found, reply.text
    return found[1]


async def _caller(portal: Portal, secret: str) -> object:
    async with portal.database.read() as db:
        return await keys.caller(db, apikey.digest(secret), now=portal.clock.now)


async def _all_keys(portal: Portal) -> list[keys.Key]:
    account = await portal.account()
    async with portal.database.read() as db:
        return await keys.of_account(db, account.id)


async def _only_key(portal: Portal) -> keys.Key:
    account = await portal.account()
    async with portal.database.read() as db:
        return (await keys.of_account(db, account.id))[0]


async def test_forms_need_their_token(portal: Portal) -> None:
    """Every form is refused without its CSRF token, with another's, and cross-site."""
    somebody, other = await portal.newcomer(), await portal.newcomer("bob@example.com")
    stolen = csrf(await other.get("/dashboard/settings"))
    own = csrf(await somebody.get("/dashboard/settings"))
    async with portal.database.write() as db:
        await identity.set_role(db, await portal.account(), "operator")
    posts = [r for r in portal.app.routes if isinstance(r, Route) and "POST" in (r.methods or ())]
    signed = "/billing/webhook"  # no browser sends it
    forms = [route.path for route in posts if route.path not in ("/theme", signed)]
    assert len(forms) > 25
    for path in forms:
        path = re.sub(r"\{\w+\}", "x", path)
        for data in ({}, {"csrf": stolen}):
            reply = await somebody.client.post(path, data=data)
            assert reply.status_code == 403, path
        headers = {"sec-fetch-site": "cross-site"}
        reply = await somebody.client.post(path, data={"csrf": own}, headers=headers)
        assert reply.status_code == 403, path


async def test_key_is_shown_once(portal: Portal) -> None:
    """A key is shown with an example program on the page that created it, and on no other."""
    somebody = await portal.newcomer()
    secret = await _key(somebody)
    assert await _caller(portal, secret) is not None
    page = (await somebody.get("/dashboard/api-keys")).text
    assert secret not in page
    assert secret[: keys.SHOWN] in page


async def test_key_is_narrowed(portal: Portal) -> None:
    """A key can be restricted to models (by any name), endpoints and origins, and expire."""
    somebody = await portal.newcomer()
    secret = await _key(
        somebody,
        models="Mistral-7B, yolo-v9",
        endpoints="chat",
        origins="https://App.example.com/",
        expires="7",
    )
    caller = await _caller(portal, secret)
    assert isinstance(caller, msgspec.Struct)
    told = msgspec.structs.asdict(caller)
    assert told["models"] == {"mistral-7b", "yolov9"}
    assert (told["endpoints"], told["origins"]) == ({"chat"}, {"https://app.example.com"})
    assert told["expires_at"] == portal.clock.now + 7 * DAY


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"models": "gpt-9"}, "gpt-9"),
        ({"origins": "app.example.com"}, "not an origin"),
        ({"endpoints": "everything"}, "Endpoints are"),
        ({"expires": "400000"}, "Choose one"),
        ({"name": "x" * 61}, "at most 60"),
    ],
)
async def test_key_that_would_lock_out(portal: Portal, fields: dict[str, str], words: str) -> None:
    """Unknown names are refused beside their field, and no key is created."""
    somebody = await portal.newcomer()
    reply = await somebody.send("/dashboard/api-keys", **fields)
    assert reply.status_code == 400
    assert words in reply.text
    account = await portal.account()
    async with portal.database.read() as db:
        assert await keys.of_account(db, account.id) == []


def test_endpoints_are_the_gateways() -> None:
    """A key can be restricted to exactly the gateway's endpoints."""
    assert list(keyform.ENDPOINTS) == [endpoint.name for endpoint in INFERENCE]


async def test_revoked_key_is_nobody(portal: Portal) -> None:
    """Revoking a key ends it at gateways too."""
    somebody = await portal.newcomer()
    secret = await _key(somebody)
    key = await _only_key(portal)
    reply = await somebody.send(f"/dashboard/api-keys/{key.id}/revoke", page="/dashboard/api-keys")
    assert reply.status_code == 303
    assert await _caller(portal, secret) is None


async def test_replaced_key_overlaps(portal: Portal) -> None:
    """The old key works for the overlap beside the new one, with the same scope."""
    somebody = await portal.newcomer()
    old = await _key(somebody, endpoints="chat")
    key = await _only_key(portal)
    reply = await somebody.send(
        f"/dashboard/api-keys/{key.id}/rotate", page="/dashboard/api-keys", overlap="3600"
    )
    found = re.search(r'data-copy="(sk_[\w-]+)"', reply.text)
    assert found
    new = await _caller(portal, found[1])
    assert isinstance(new, msgspec.Struct)
    assert msgspec.structs.asdict(new)["endpoints"] == {"chat"}
    assert await _caller(portal, old) is not None
    portal.clock.now += 3600
    assert await _caller(portal, old) is None


async def test_replaced_key_ends_like_the_old_one(portal: Portal) -> None:
    """A rotated key has the lifetime of the old one."""
    somebody, page = await portal.newcomer(), "/dashboard/api-keys"
    await _key(somebody, expires="30")
    old = await _only_key(portal)
    portal.clock.now += 10 * DAY
    await somebody.send(f"{page}/{old.id}/rotate", page=page, overlap="3600")
    new = (await _all_keys(portal))[-1]
    assert new.id != old.id
    assert new.expires_at == portal.clock.now + 30 * DAY


async def test_keys_come_at_a_pace(portal: Portal) -> None:
    """At most sixty keys an hour, revoked ones included; old ended keys are not listed."""
    somebody, page = await portal.newcomer(), "/dashboard/api-keys"
    token = csrf(await somebody.get(page))
    for _ in range(60):
        await somebody.client.post(page, data={"csrf": token})
        key = (await _all_keys(portal))[-1]
        await somebody.client.post(f"{page}/{key.id}/revoke", data={"csrf": token})
    reply = await somebody.client.post(page, data={"csrf": token})
    assert reply.status_code == 400
    assert "Too many new keys" in reply.text
    assert "Revoked" in (await somebody.get(page)).text
    portal.clock.now += 31 * DAY
    await somebody.log_in()
    assert "Revoked" not in (await somebody.get(page)).text


async def test_keys_of_others_are_not_there(portal: Portal) -> None:
    """A leaked key id is useless to other accounts."""
    somebody, thief = await portal.newcomer(), await portal.newcomer("bob@example.com")
    secret = await _key(somebody)
    key = await _only_key(portal)
    for action in ("revoke", "rotate", "rename"):
        reply = await thief.send(
            f"/dashboard/api-keys/{key.id}/{action}", page="/dashboard/api-keys", name="mine"
        )
        assert reply.status_code == 404
    assert await _caller(portal, secret) is not None


async def test_unproved_address_makes_no_keys(portal: Portal, settings: Settings) -> None:
    """If mail is set up, creating keys requires a verified address."""
    smtp = Settings(home=settings.home, smtp_url="smtp://mail.invalid")
    async with opened(smtp) as sending:
        somebody = await sending.newcomer()
        reply = await somebody.send("/dashboard/api-keys", name="k")
        assert reply.status_code == 400
        assert "Confirm your e-mail address first" in reply.text
        for path in ("/dashboard", "/dashboard/api-keys"):
            page = (await somebody.get(path)).text
            assert 'action="/verify/send"' in page
            assert 'action="/dashboard/api-keys"' not in page


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>'])
async def test_names_are_text(portal: Portal, name: str) -> None:
    """Markup in a stored name is escaped on every page that shows it."""
    somebody = await portal.newcomer()
    await _key(somebody, name=name)
    await somebody.send(
        "/dashboard/settings/profile", page="/dashboard/settings", name=name, email=EMAIL
    )
    for path in ("/dashboard", "/dashboard/api-keys", "/dashboard/settings", "/dashboard/requests"):
        page = await somebody.get(path)
        assert page.status_code == 200
        assert name not in page.text
    assert "&lt;" in (await somebody.get("/dashboard/api-keys")).text


async def test_call_is_on_every_page(portal: Portal) -> None:
    """A request lowers the limit, and appears in the list, as a receipt, in charts and CSV."""
    somebody = await portal.newcomer()
    await portal.called()
    overview = (await somebody.get("/dashboard")).text
    assert "59 of 60 requests left today. Resets in" in overview
    assert "req_1" in overview
    receipt = (await somebody.get("/dashboard/requests/req_1")).text
    assert "The call was answered: it counts as one request." in receipt
    assert "waterfall" in receipt
    assert "req_1" in (await somebody.get("/dashboard/requests?model=m&outcome=answered")).text
    assert "req_1" not in (await somebody.get("/dashboard/requests?model=other")).text
    for by in ("day", "hour", "model", "endpoint", "outcome", "key"):
        assert (await somebody.get(f"/dashboard/usage?by={by}&days=7")).status_code == 200
    table = list(csv.DictReader(io.StringIO((await somebody.get("/dashboard/usage.csv")).text)))
    assert sum(int(row["requests"]) for row in table) == 1


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=eq_1", {"req_1"}),
        ("status=429", {"req_2"}),
        ("endpoint=embeddings", {"req_3"}),
        ("days=1", {"req_1", "req_2"}),
        ("days=7&status=200", {"req_1", "req_3"}),
        ("status=x&days=9999999999999", {"req_1", "req_2", "req_3"}),
        ("q=%00", {"req_1", "req_2", "req_3"}),
        ("q=%25", set()),
    ],
)
async def test_requests_are_filtered(portal: Portal, query: str, found: set[str]) -> None:
    """By part of the id, status, endpoint and days; invalid values are ignored."""
    somebody = await portal.newcomer()
    await portal.called()
    await portal.called(id="req_2", outcome="refused", status=429)
    now = portal.clock.now
    await portal.called(id="req_3", endpoint="embeddings", admitted_at=now - 2 * DAY)
    page = (await somebody.get(f"/dashboard/requests?{query}")).text
    assert set(re.findall(r"/dashboard/requests/(req_\d)", page)) == found
    table = csv.DictReader(
        io.StringIO((await somebody.get(f"/dashboard/requests.csv?{query}")).text)
    )
    assert {row["id"] for row in table} == found


async def test_older_requests_stay(portal: Portal) -> None:
    """An older page does not update itself; the newest one does."""
    somebody = await portal.newcomer()
    for number in range(2):
        await portal.called(id=f"req_{number}", admitted_at=portal.clock.now + number)
    assert (
        'hx-get="/dashboard/requests?model=m"'
        in (await somebody.get("/dashboard/requests?model=m")).text
    )
    page = (await somebody.get("/dashboard/requests?model=m&after=req_1")).text
    assert "req_0" in page
    assert "every 3s" not in page
    assert 'href="/dashboard/requests?model=m">Back to the newest' in page


async def test_figures_lead_to_requests(portal: Portal) -> None:
    """Rows of usage and usage of keys link to the requests that they count."""
    somebody = await portal.newcomer()
    await _key(somebody)
    key = await _only_key(portal)
    await portal.called(key_id=key.id)
    for by, value in (("model", "m"), ("key", key.id), ("outcome", "answered")):
        page = (await somebody.get(f"/dashboard/usage?by={by}&days=7")).text
        assert f'href="/dashboard/requests?{by}={value}&amp;days=7"' in page
    page = (await somebody.get("/dashboard/api-keys")).text
    assert f'<a href="/dashboard/requests?key={key.id}&amp;days=30">1</a>' in page


async def test_bars_are_those_with_most(portal: Portal) -> None:
    """The chart shows the top ten and says so; the table has all."""
    somebody = await portal.newcomer()
    for number in range(11):
        await portal.called(id=f"req_{number}", model=f"model-{number}")
    page = (await somebody.get("/dashboard/usage?by=model")).text
    assert page.count('class="bar"') == 10
    assert "UTC: the top 10</figcaption>" in page
    assert page.count("/dashboard/requests?model=model-") == 11
    assert "the top 10" not in (await somebody.get("/dashboard/usage?by=day")).text


async def test_latency_is_drawn_and_told(portal: Portal) -> None:
    """p50 and p95 as lines, table and CSV, without other models' requests."""
    somebody = await portal.newcomer()
    assert "No answered request" in (await somebody.get("/dashboard/latency")).text
    await portal.called()
    for by in ("day", "hour"):
        page = (await somebody.get(f"/dashboard/latency?by={by}&days=7")).text
        assert page.count(">p95</text>") == page.count('class="chart plot"') > 0
    table = (await somebody.get("/dashboard/latency.csv?model=m")).text
    (row,) = csv.DictReader(io.StringIO(table))
    assert row["answered"] == "1"
    assert float(row["total_ms_p50"]) == float(row["total_ms_p95"]) > 0
    assert (
        "No answered requests of other"
        in (await somebody.get("/dashboard/latency?model=other")).text
    )


async def test_receipts_of_others_are_not_there(portal: Portal) -> None:
    """Another account's receipt is a 404 like a missing one."""
    await portal.newcomer()
    await portal.called()
    thief = await portal.newcomer("bob@example.com")
    assert (await thief.get("/dashboard/requests/req_1")).status_code == 404
    assert "req_1" not in (await thief.get("/dashboard/requests.csv")).text


async def test_csv_holds_no_formula(portal: Portal) -> None:
    """A model name sent by a client cannot become a formula in a spreadsheet."""
    somebody = await portal.newcomer()
    await portal.called(model='=HYPERLINK("https://evil.example","x")')
    for path in ("/dashboard/requests.csv", "/dashboard/usage.csv?by=model"):
        reply = await somebody.get(path)
        assert reply.headers["content-type"].startswith("text/csv")
        cells = [cell for row in csv.reader(io.StringIO(reply.text)) for cell in row]
        assert any(cell.startswith("'=HYPERLINK") for cell in cells)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_cells_that_begin_a_formula(start: str) -> None:
    """Each character that starts a formula is escaped; numbers stay numbers."""
    assert csvs.safe(f"{start}1") == f"'{start}1"
    assert csvs.safe(-1) == -1


async def test_odd_filters_are_refused(portal: Portal) -> None:
    """Invalid parameters give an error page, not a failure."""
    somebody = await portal.newcomer()
    for path in (
        "/dashboard/usage?by=x",
        "/dashboard/usage?days=1e9",
        "/dashboard/latency?by=model",
        "/dashboard/requests?after=x",
    ):
        assert (await somebody.get(path)).status_code == 400


async def test_change_of_password(portal: Portal) -> None:
    """It requires the old password, ends other sessions, and sends a mail."""
    somebody, other = await portal.newcomer(), portal.somebody()
    await other.log_in()
    path, page = "/dashboard/settings/password", "/dashboard/settings"
    wrong = await somebody.send(
        path, page=page, password="not it at all", new="five plain words now"
    )
    assert wrong.status_code == 400
    weak = await somebody.send(path, page=page, password=PASSWORD, new="short")
    assert "at least 10 characters" in weak.text
    reply = await somebody.send(path, page=page, password=PASSWORD, new="five plain words now")
    assert reply.status_code == 303
    assert await somebody.is_in()
    assert not await other.is_in()
    assert await portal.link("Your password was changed")


async def test_change_of_address(portal: Portal) -> None:
    """It requires the password, notifies the old address and verifies the new one."""
    somebody = await portal.newcomer()
    await portal.newcomer("bob@example.com")
    path, page = "/dashboard/settings/profile", "/dashboard/settings"
    no = await somebody.send(path, page=page, name="ann", email="new@example.com")
    assert no.status_code == 400
    taken = await somebody.send(
        path, page=page, name="ann", email="bob@example.com", password=PASSWORD
    )
    assert "Another account has this e-mail address" in taken.text
    yes = await somebody.send(
        path, page=page, name="ann", email="new@example.com", password=PASSWORD
    )
    assert yes.status_code == 303
    assert (await portal.account("new@example.com")).verified_at is None


async def _secret(portal: Portal) -> str:
    return totp.secret(portal.services.signing, (await portal.account()).totp_nonce or "")


def _code(secret: str, now: float) -> str:
    import pyotp

    return str(pyotp.TOTP(secret).at(int(now)))


def _wrong(secret: str, now: float) -> str:
    near = {_code(secret, now + 30 * step) for step in range(-5, 6)}
    return next(code for code in map("{:06}".format, range(12)) if code not in near)


async def test_one_time_codes(portal: Portal) -> None:
    """Enabled with a first code; then a password alone is not enough, and a code works once."""
    somebody, page = await portal.newcomer(), "/dashboard/settings"
    await somebody.send(f"{page}/totp", page=page)
    secret = await _secret(portal)
    assert totp.grouped(secret) in (await somebody.get(page)).text
    wrong = _wrong(secret, portal.clock.now)
    assert (await somebody.send(f"{page}/totp/confirm", page=page, code=wrong)).status_code == 400
    code = _code(secret, portal.clock.now)
    assert (
        "Your recovery codes"
        in (await somebody.send(f"{page}/totp/confirm", page=page, code=code)).text
    )
    other = portal.somebody()
    asked = await other.log_in()
    assert "Enter your code" in asked.text
    assert not await other.is_in()
    proof = re.search(r'name="proof" value="([^"]+)"', asked.text)
    assert proof
    fields = {"csrf": csrf(asked), "proof": proof[1]}
    again = await other.client.post("/login/code", data=fields | {"code": code})
    assert again.status_code == 401
    portal.clock.now += 30
    fresh = _code(secret, portal.clock.now)
    done = await other.client.post(
        "/login/code", data=fields | {"code": f" {fresh[:3]} {fresh[3:]}"}
    )
    assert done.status_code == 303
    assert await other.is_in()
    off = await somebody.send(f"{page}/totp/end", page=page, code=wrong)
    assert off.status_code == 400


async def test_proof_is_of_one_browser(portal: Portal) -> None:
    """The proof of a correct password is useless in another browser, or later."""
    somebody, page = await portal.newcomer(), "/dashboard/settings"
    await somebody.send(f"{page}/totp", page=page)
    secret = await _secret(portal)
    code = _code(secret, portal.clock.now)
    await somebody.send(f"{page}/totp/confirm", page=page, code=code)
    victim, thief = portal.somebody(), portal.somebody()
    asked = await victim.log_in()
    proof = re.search(r'name="proof" value="([^"]+)"', asked.text)
    assert proof
    portal.clock.now += 60
    fields = {"proof": proof[1], "code": _code(secret, portal.clock.now)}
    assert (await thief.send("/login/code", page="/login", **fields)).status_code == 401
    portal.clock.now += 300
    fields["code"] = _code(secret, portal.clock.now)
    late = await victim.client.post("/login/code", data=fields | {"csrf": csrf(asked)})
    assert late.status_code == 401


async def test_sign_out_others(portal: Portal) -> None:
    """One button ends every other session."""
    somebody, other = await portal.newcomer(), portal.somebody()
    await other.log_in()
    await somebody.send("/dashboard/settings/sessions/end-others", page="/dashboard/settings")
    assert await somebody.is_in()
    assert not await other.is_in()


async def test_export_holds_no_secret(portal: Portal) -> None:
    """The export has all data of the account, but no credentials."""
    somebody = await portal.newcomer()
    secret = await _key(somebody)
    await portal.called()
    reply = await somebody.get("/dashboard/settings/export")
    taken = json.loads(reply.text)
    assert taken["account"]["email"] == EMAIL
    assert [call["id"] for call in taken["requests"]] == ["req_1"]
    assert len(taken["keys"]) == len(taken["sessions"]) == 1
    for hidden in ("argon2", apikey.digest(secret), secret, "sha256"):
        assert hidden not in reply.text


async def test_delete_account(portal: Portal) -> None:
    """It requires the password; then no personal data is left, and receipts are anonymous."""
    somebody = await portal.newcomer()
    secret = await _key(somebody)
    await portal.called()
    latest = journal.settled("req_2", account=(await portal.account()).id)
    folder = portal.control.settings.journal_dir
    journal.append(folder / "gw-000001.jsonl", journal.lines(latest))
    path, page = "/dashboard/settings/delete", "/dashboard/settings"
    assert (await somebody.send(path, page=page, password="wrong")).status_code == 400
    reply = await somebody.send(path, page=page, password=PASSWORD)
    assert reply.headers["location"] == "/login?done=deleted"
    assert not await somebody.is_in()
    assert await _caller(portal, secret) is None
    async with portal.database.read() as db:
        assert await identity.by_email(db, EMAIL) is None
        found = [await calls.find(db, name) for name in ("req_1", "req_2")]
    assert [call and call.account_id for call in found] == [leaving.NOBODY] * 2
    await portal.newcomer()


async def test_pages_are_kept_nowhere(portal: Portal) -> None:
    """Pages behind the login are neither cached nor framed."""
    somebody = await portal.newcomer()
    reply = await somebody.get("/dashboard/settings")
    assert reply.headers["cache-control"] == "no-store"
    policy = reply.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]* src=)|\sstyle=|\son\w+=", reply.text)


async def test_session_remembers_its_address(portal: Portal) -> None:
    """The list of sessions shows the address of each one's last use."""
    somebody = await portal.newcomer()
    account = await portal.account()
    portal.clock.now += 120
    await somebody.get("/dashboard", headers={"x-forwarded-for": "198.51.100.9"})
    async with portal.database.read() as db:
        (session,) = await sessions.of_account(db, account.id, now=portal.clock.now)
    assert (session.address, session.seen_at) == ("198.51.100.9", portal.clock.now)
