"""Passwords, addresses, second factors, sessions, and the end of an account."""

import json
import re

from starlette.routing import Route
from tests.unit.portal.people import EMAIL, PASSWORD, Portal, Somebody, csrf

from oxlo.plans import apikey
from oxlo.portal import totp
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
    assert "Type your password." in no.text
    assert 'value="new@example.com"' in no.text, "the form is corrected, not written again"
    taken = await somebody.send(
        path, page=page, name="ann", email="bob@example.com", password=PASSWORD
    )
    assert "Another account has this e-mail address" in taken.text
    yes = await somebody.send(
        path, page=page, name="ann", email="new@example.com", password=PASSWORD
    )
    assert yes.headers["location"].endswith("#top"), "where the message is"
    assert "A link was made" in (await somebody.get(yes.headers["location"])).text
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
