"""API keys, as a user manages them."""

import re

import msgspec
import pytest
from tests.unit.portal.conftest import opened, replica, serve
from tests.unit.portal.people import EMAIL, Portal, Somebody, csrf

from oxlo.fleet.registry import ReplicaState
from oxlo.gateway.endpoints import INFERENCE
from oxlo.plans import apikey
from oxlo.portal import formats
from oxlo.portal.dashboard import keyform
from oxlo.settings import Settings
from oxlo.store import keys

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


async def test_key_is_shown_once(portal: Portal) -> None:
    """A key is shown with an example program on the page that created it, and on no other."""
    somebody = await portal.newcomer()
    secret = await _key(somebody)
    assert await _caller(portal, secret) is not None
    page = (await somebody.get("/dashboard/api-keys")).text
    assert secret not in page
    assert secret[: keys.SHOWN] in page


@pytest.mark.parametrize(
    ("fields", "works"),
    [({}, True), ({"models": "yolo-v9"}, False), ({"endpoints": "embeddings"}, False)],
)
async def test_first_call_is_allowed(portal: Portal, fields: dict[str, str], works: bool) -> None:
    """The program beside a new key is one that the key may make; otherwise there is none."""
    serve(portal.services.settings, replica("smollm2-135m", ReplicaState.READY))
    somebody = await portal.newcomer()
    reply = await somebody.send("/dashboard/api-keys", name="laptop", **fields)
    assert "it is not shown again" in reply.text
    assert ("A first call with it" in reply.text) == works


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


async def test_refused_key_keeps_its_form(portal: Portal) -> None:
    """What was chosen is still chosen on the page that says what is wrong."""
    somebody = await portal.newcomer()
    fields = {"name": "k", "endpoints": "chat", "origins": "example.com"}
    page = (await somebody.send("/dashboard/api-keys", **fields)).text
    assert 'name="endpoints" value="chat" checked>' in page
    assert page.count(" checked>") == 1
    assert 'value="example.com"' in page


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
    assert f"{formats.timestamp(portal.clock.now + 3600)}</time>." in reply.text
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
        portal.clock.now += 1
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
