"""Keys: as pasted, as scoped, as revoked, and in floods."""

import asyncio

import msgspec
import pytest
from tests.gateway.conftest import Platform, Start
from tests.waiting import until

from oxlo.plans import apikey


async def _hear(platform: Platform) -> None:
    """Let the gateway hear of the last change."""
    platform.gateway.sweep()
    await until(lambda: platform.gateway.keys.change == platform.control.counter)


@pytest.mark.parametrize(
    "pasted",
    [
        "Bearer {}",
        "{}",
        "Bearer Bearer {}",
        'Bearer "{}"',
        "  bearer   {} ",
        "Bearer '{}'",
        "Bearer: {}",
        "Bearer `{}`",
        "Bearer <{}>",
        "Bearer {}\\n",
        "Bearer {}\xc2\xa0",
        "Bearer \xe2\x80\x9c{}\xe2\x80\x9d",
        "Bearer OXLO_API_KEY={};",
    ],
)
async def test_pasted_forms(start: Start, pasted: str) -> None:
    """Keys are understood with what is often pasted along with them."""
    platform = await start()
    head = {"authorization": pasted.format(platform.key)}
    answer = await platform.call("GET", "/v1/models", headers=head, key="")
    assert answer.status == 200


@pytest.mark.parametrize("name", ["x-api-key", "api-key", "API-Key"])
async def test_other_headers(start: Start, name: str) -> None:
    """Keys are found where Anthropic's and Azure's clients have them, too."""
    platform = await start()
    answer = await platform.call("GET", "/v1/models", headers={name: platform.key}, key="")
    assert answer.status == 200


async def test_empty_header_is_none(start: Start) -> None:
    """An empty `Authorization` header does not hide a key elsewhere, and is never cached as one."""
    platform = await start()
    for empty in ("Bearer", "Bearer ", "", 'Bearer ""', "bearer  Bearer "):
        empty_head = {"authorization": empty}
        for name in ("x-api-key", "api-key"):
            head = empty_head | {name: platform.key}
            assert (await platform.call("GET", "/v1/models", headers=head, key="")).status == 200
        alone = await platform.call("GET", "/v1/models", headers=empty_head, key="")
        assert (alone.status, alone.code) == (401, "invalid_api_key")
        assert "You sent no API key" in alone.json()["error"]["message"]


async def test_wrong_key_is_not_passed_over(start: Start) -> None:
    """A bad key in `Authorization` is refused, whatever other headers hold."""
    platform = await start()
    head = {"authorization": "Bearer undefined", "x-api-key": platform.key}
    answer = await platform.call("GET", "/v1/models", headers=head, key="")
    assert (answer.status, answer.code) == (401, "invalid_api_key")


@pytest.mark.parametrize("key", ["", "sk_short", "sk-" + "a" * 43, "sk_" + "a" * 43])
async def test_bad_keys(start: Start, key: str) -> None:
    """A bad key is a 401, found out without asking anybody."""
    platform = await start()
    answer = await platform.chat(key=key)
    assert (answer.status, answer.code) == (401, "invalid_api_key")
    assert not platform.control.lookups


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ("YOUR_API_KEY", "YOUR_API_KEY. Keys here are 'sk_' and 43 more characters"),
        ("undefined", "not set"),
        ("None", "not set"),
        ("${OXLO_API_KEY}", "the variable's name"),
        ("%OXLO_API_KEY%", "the variable's name"),
        ("sk-proj-" + "a1" * 20, "sk-proj...a1a1. It looks like a key of another provider"),
        ("sk_" + "a" * 40, "43 characters: part of it is missing"),
        ("Basic dXNlcjpwYXNzd29yZA==", "not as Basic"),
        ("pass1234", "(too short)"),
    ],
)
async def test_what_was_sent_instead(start: Start, sent: str, words: str) -> None:
    """The error for a malformed key describes the mistake, and where to create keys."""
    platform = await start()
    head = {"authorization": sent if sent.startswith("Basic") else f"Bearer {sent}"}
    answer = await platform.call("GET", "/v1/models", headers=head, key="")
    message = answer.json()["error"]["message"]
    assert answer.status == 401
    assert words in message
    assert "/dashboard/api-keys" in message
    assert answer.headers["www-authenticate"].startswith("bearer ")
    assert sent not in message or not any(c.isdigit() for c in sent)


async def test_key_without_end(start: Start) -> None:
    """A value far too long for a key is rejected without unwrapping."""
    platform = await start()
    head = {"authorization": "Bearer " * 8000 + platform.key}
    answer = await platform.call("GET", "/v1/models", headers=head, key="")
    assert (answer.status, answer.code) == (401, "invalid_api_key")
    assert "too long" in answer.json()["error"]["message"]


async def test_flood_of_bad_keys(start: Start) -> None:
    """Invented keys cost no look-up, and a genuine unknown one costs a single look-up."""
    platform = await start()
    stale = apikey.mint(platform.gateway.settings.signing_secret())
    await asyncio.gather(*(platform.chat(key=f"sk_{n:043d}") for n in range(50)))
    await asyncio.gather(*(platform.chat(key=stale) for _ in range(50)))
    await platform.chat(key=stale)
    assert len(platform.control.lookups) == 1


async def test_revoked_after_change(start: Start) -> None:
    """A revoked key is refused as soon as the change is seen, however often it was used."""
    platform = await start()
    assert [(await platform.chat()).status for _ in range(3)] == [200] * 3
    platform.control.change(platform.key, None)
    await _hear(platform)
    assert (await platform.chat()).status == 401


async def test_others_are_not_asked_about(start: Start) -> None:
    """After a change, only the keys of that account are looked up again, each of them once."""
    platform = await start()
    mine, hers, second = (platform.control.mint("enterprise", f"acct_{n}") for n in (1, 2, 2))
    await _hear(platform)
    for key in (mine, hers, second):
        assert (await platform.chat(key=key)).status == 200
    caller = platform.control.callers[apikey.digest(hers)]
    platform.control.change(hers, msgspec.structs.replace(caller, endpoints={"embeddings"}))
    await _hear(platform)
    platform.control.lookups.clear()
    statuses = [(await platform.chat(key=key)).status for key in (mine, hers, second) * 2]
    assert statuses == [200, 403, 200] * 2
    assert platform.control.lookups == [apikey.digest(key) for key in (hers, second)]


async def test_looked_up_after_the_change(start: Start) -> None:
    """A key that was looked up after the change is not looked up again when it is heard of."""
    platform = await start()
    await _hear(platform)
    platform.control.change(platform.key, platform.control.callers[apikey.digest(platform.key)])
    assert (await platform.chat()).status == 200
    await _hear(platform)
    assert (await platform.chat()).status == 200
    assert len(platform.control.lookups) == 1


async def test_anything_may_have_changed(start: Start) -> None:
    """All keys are looked up again if control cannot tell which accounts changed."""
    platform = await start()
    await _hear(platform)
    other = platform.control.mint("enterprise", "acct_2")
    keys = (platform.key, other)
    assert [(await platform.chat(key=key)).status for key in keys] == [200, 200]
    platform.control.changed.append(None)
    await _hear(platform)
    assert [(await platform.chat(key=key)).status for key in keys] == [200, 200]
    assert platform.control.lookups == [apikey.digest(key) for key in keys] * 2


async def _restored(start: Start) -> Platform:
    """A gateway that knows a key, and a database that was restored to before the key was made."""
    platform = await start()
    platform.control.changed.extend(["acct_2"] * 3)
    await _hear(platform)
    assert (await platform.chat()).status == 200
    platform.control.restore(2)
    del platform.control.callers[apikey.digest(platform.key)]
    return platform


async def test_older_database(start: Start) -> None:
    """After the database was restored from a backup, nothing that was learned before counts."""
    platform = await _restored(start)
    await _hear(platform)
    assert (await platform.chat()).status == 401


@pytest.mark.parametrize("more", [0, 1])
async def test_older_database_that_changed(start: Start, more: int) -> None:
    """So it is if the database has changed as often since, or more often, before that is heard."""
    platform = await _restored(start)
    platform.control.changed.extend(["acct_2"] * (2 + more))
    history = platform.gateway.keys._history
    turn = history.turn
    platform.gateway.sweep()
    await until(lambda: history.turn > turn)
    assert (await platform.chat()).status == 401


async def test_control_away(start: Start) -> None:
    """Callers that are known go on when control is away; unknown ones get a 503."""
    platform = await start()
    other = platform.control.mint("free", "acct_2")
    assert (await platform.chat()).status == 200
    platform.control.change(platform.key, platform.control.callers[apikey.digest(platform.key)])
    await _hear(platform)
    await platform.control.__aexit__(None, None, None)
    platform.gateway.settings.control_private_socket.unlink(missing_ok=True)
    assert (await platform.chat()).status == 200
    answer = await platform.chat(key=other)
    assert (answer.status, answer.headers["retry-after"]) == (503, "2")


async def test_unknown_before_body(start: Start) -> None:
    """A bad key is refused on the head: the body is never awaited."""
    platform = await start()
    client = platform.client("sk_nonsense")
    await client.send("POST", "/v1/chat/completions", headers={"content-length": "1000000"})
    assert (await client.answer()).status == 401


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        ({"models": ["other"]}, 403),
        ({"models": ["double"]}, 200),
        ({"endpoints": ["completions"]}, 403),
        ({"endpoints": ["chat"]}, 200),
        ({"expires_at": 5.0}, 401),
    ],
)
async def test_scopes(start: Start, scope: dict[str, object], status: int) -> None:
    """A key may be narrowed to models, endpoints and a time."""
    platform = await start()
    key = platform.control.mint("enterprise", "acct_s", **scope)
    assert [(await platform.chat(key=key)).status for _ in range(3)] == [status] * 3


async def test_origin_scope(start: Start) -> None:
    """A key limited to one origin is refused from another, also the second time."""
    platform = await start()
    key = platform.control.mint("enterprise", "acct_s", origins=["https://a.example"])
    good = await platform.call(
        "GET", "/v1/models", headers={"origin": "https://a.example"}, key=key
    )
    bad = await platform.call("GET", "/v1/models", headers={"origin": "https://b.example"}, key=key)
    again = await platform.call(
        "GET", "/v1/models", headers={"origin": "https://b.example"}, key=key
    )
    assert (good.status, bad.status, again.status) == (200, 403, 403)
    assert good.headers["access-control-allow-origin"] == "https://a.example"
    assert "x-request-id" in good.headers["access-control-expose-headers"]


async def test_preflight(start: Start) -> None:
    """A CORS preflight needs no key."""
    platform = await start()
    head = {"origin": "https://a.example", "access-control-request-headers": "authorization,x-y"}
    answer = await platform.call("OPTIONS", "/v1/chat/completions", headers=head, key="")
    assert answer.status == 204
    assert answer.headers["access-control-allow-headers"] == "authorization,x-y"


async def test_error_after_a_look_up(start: Start) -> None:
    """An unexpected error after a key lookup is a 500 for every request that waited for it."""
    platform = await start()
    current_plans = platform.gateway.current_plans
    sound, current_plans._plans = current_plans._plans, {}  # an unexpected failure
    key = platform.control.mint()
    platform.control.open.clear()
    calls = [asyncio.create_task(platform.chat(key=key)) for _ in range(2)]
    await until(lambda: platform.control.lookups)
    platform.control.open.set()
    answers = await asyncio.gather(*calls)
    assert [(one.status, one.code) for one in answers] == [(500, "internal_error")] * 2
    current_plans._plans = sound
    assert (await platform.chat()).status == 200


async def test_control_of_another_version(start: Start) -> None:
    """A look-up that is answered with something else is a 503, and is made again."""
    platform = await start()
    caller = platform.control.callers[apikey.digest(platform.key)]
    platform.control.change(platform.key, msgspec.Raw(b'{"account": 1}'))  # type: ignore[arg-type]
    answer = await platform.chat()
    assert (answer.status, answer.headers["retry-after"]) == (503, "2")
    platform.control.change(platform.key, caller)
    assert (await platform.chat()).status == 200
