"""Limits through the gateway: exact to the request, whatever the parallelism."""

import asyncio

from tests.gateway.conftest import Answer, Start, chat, stop_the_clock
from tests.waiting import until

from oxlo.fleet.registry import ReplicaState
from oxlo.gateway.call_setup import COUNT_LIMIT
from oxlo.ledger.records import Settled
from oxlo.plans import SHIPPED, edited
from oxlo.testing.engine import Canned, Script


async def test_minute_exact(start: Start) -> None:
    """Fifty parallel clients of a plan of five a minute: five are answered."""
    platform = await start()
    platform.replicas(platform.engine, slots=64)
    key = platform.control.mint("pro", "acct_pro", role="user")
    stop_the_clock(platform)
    answers = await asyncio.gather(*(platform.chat(key=key) for _ in range(70)))
    codes = [a.status for a in answers]
    assert codes.count(200) == 60
    refused = [a for a in answers if a.status == 429]
    assert {a.code for a in refused} <= {"minute_limit_exceeded", "concurrency_limit_exceeded"}
    assert all(int(a.headers["retry-after"]) >= 1 for a in refused)


async def test_concurrency_waits_in_line(start: Start) -> None:
    """Over its concurrency an account waits in its own line, and is then answered."""
    platform = await start()
    key = platform.control.mint("free", "acct_f")
    stop_the_clock(platform)
    platform.engine.default = Script(gate="go")
    waiting = [asyncio.create_task(platform.chat(key=key)) for _ in range(3)]
    await platform.engine.until(lambda e: e.outstanding == 1)
    platform.engine.gates["go"].set()
    answers = await asyncio.gather(*waiting)
    assert [a.status for a in answers] == [200] * 3
    assert platform.engine.peak == 1


async def test_model_that_went_away_meanwhile(start: Start) -> None:
    """A call whose model stopped while it stood in its line fails, and holds nothing on."""
    platform = await start()
    key = platform.control.mint("free", "acct_f")
    stop_the_clock(platform)
    platform.engine.default = Script(gate="go")
    first = asyncio.create_task(platform.chat(key=key))
    await platform.engine.until(lambda e: e.outstanding == 1)
    long = chat(messages=[{"role": "user", "content": "x" * 3000}])
    second = asyncio.create_task(platform.call("POST", "/v1/chat/completions", long, key=key))
    await until(lambda: platform.gateway.ledger._lines)  # type: ignore[attr-defined]
    platform.replicas(platform.engine, state=ReplicaState.STARTING)
    platform.engine.gates["go"].set()
    assert (await first).status == 200
    assert ((await second).status, (await second).code) == (503, "overloaded")
    assert not platform.gateway.calls


async def test_keys_share_account(start: Start) -> None:
    """Limits are the account's: a second key does not double them."""
    platform = await start()
    keys = [platform.control.mint("free", "acct_f") for _ in range(2)]
    stop_the_clock(platform)
    answers = [await platform.chat(key=keys[n % 2]) for n in range(6)]
    assert [a.status for a in answers] == [200] * 5 + [429]


async def test_errors_do_not_count(start: Start) -> None:
    """Bad requests and engine failures leave the limits as they were."""
    platform = await start()
    key = platform.control.mint("free", "acct_f")
    platform.engine.next.append(Script(status=500))
    assert (await platform.chat(key=key)).status == 502
    assert (await platform.chat(key=key, temperature=9)).status == 400
    limits = (await platform.call("GET", "/v1/limits", key=key)).json()
    assert (limits["day"]["used"], limits["minute"]["used"]) == (0, 0)


async def test_tier_denied(start: Start) -> None:
    """A model above the plan's tiers is a 403 that names the plan to get."""
    platform = await start()
    platform.replicas(platform.engine, model="costly")
    key = platform.control.mint("free", "acct_f")
    answer = await platform.chat(key=key, model="costly")
    assert (answer.status, answer.code) == (403, "model_access_denied")
    assert answer.json()["required_plan"] == "pro"


async def test_trial_opens_tier(start: Start) -> None:
    """Within the trial a free account may use every model."""
    platform = await start()
    platform.replicas(platform.engine, model="costly")
    key = platform.control.mint("free", "acct_f", trial_until=stop_the_clock(platform) + 86_400)
    assert (await platform.chat(key=key, model="costly")).status == 200


async def test_output_clamped(start: Start) -> None:
    """More output than the plan allows is clamped, and a header says so."""
    platform = await start()
    key = platform.control.mint("free", "acct_f")
    answer = await platform.call("POST", "/v1/chat/completions", chat(max_tokens=100_000), key=key)
    assert answer.headers["x-oxlo-max-tokens-clamped"] == "4096"
    assert platform.engine.calls[0].json()["max_tokens"] == 4096


async def test_long_prompt_counted(start: Start) -> None:
    """A prompt over the plan's cap is a 400 with counted and allowed tokens."""
    platform = await start("llamacpp")
    key = platform.control.mint("free", "acct_f")
    long = [{"role": "user", "content": "word " * 6000}]
    answer = await platform.chat(key=key, messages=long)
    assert (answer.status, answer.code) == (400, "context_length_exceeded")
    assert answer.json()["allowed_tokens"] == 2048
    assert answer.json()["counted_tokens"] > 2048
    assert (
        "is 2048 tokens on your plan (8192 in itself), and the prompt has"
        in answer.json()["message"]
    )
    assert not platform.engine.calls


async def test_prompt_of_the_cap(start: Start) -> None:
    """A prompt of as many tokens as the plan allows is answered; with one more it is refused."""
    platform = await start("llamacpp")
    key = platform.control.mint("free", "acct_f")

    async def ask(words: int) -> Answer:
        return await platform.chat(key=key, messages=[{"role": "user", "content": "word " * words}])

    beside = (await ask(3000)).json()["counted_tokens"] - 3000
    assert (await ask(2048 - beside)).status == 200
    refused = await ask(2049 - beside)
    assert refused.json()["counted_tokens"] == 2049


async def test_prompt_longer_than_the_context(start: Start) -> None:
    """A prompt that the model cannot hold is a 400 in OpenAI's words, naming its own field."""
    platform = await start("llamacpp")
    key = platform.control.mint("free", "acct_f")
    body = {"model": "double", "prompt": "word " * 9000}
    error = (await platform.call("POST", "/v1/completions", body, key=key)).json()["error"]
    assert (error["code"], error["param"]) == ("context_length_exceeded", "prompt")
    assert error["message"].startswith("This model's maximum context length is 8192 tokens, and")
    assert error["allowed_tokens"] == 8191


async def test_engine_that_counts_for_ever(start: Start) -> None:
    """An engine that never says how long a prompt is is left after the engine timeout."""
    platform = await start("vllm", engine_timeout=0.0)
    platform.engine.canned["/tokenize"] = Canned(pieces=(b"{}",), gate="never")
    client = platform.client(platform.control.mint("free", "acct_f"))
    long = [{"role": "user", "content": "word " * 6000}]
    await client.send("POST", "/v1/chat/completions", chat(messages=long))
    await platform.engine.until(lambda e: e.counts["POST /tokenize"] == 1)
    platform.gateway.sweep()
    answer = await client.answer()
    assert (answer.status, answer.code) == (504, "engine_timeout")
    assert platform.record(Settled, answer.headers["x-request-id"]).counted is False
    assert not platform.gateway.calls


async def test_engine_that_counts_without_end(start: Start) -> None:
    """A token count response that is far too long is cut off."""
    platform = await start("vllm")
    pieces = (b" " * COUNT_LIMIT, b" ", b"never sent")
    platform.engine.canned["/tokenize"] = Canned(pieces=pieces, gate="never")
    long = [{"role": "user", "content": "word " * 6000}]
    answer = await platform.chat(platform.control.mint("free", "acct_f"), messages=long)
    assert (answer.status, answer.code) == (502, "engine_failed")
    await platform.engine.until(lambda engine: engine.outstanding == 0)


async def test_a_plan_that_was_removed(start: Start) -> None:
    """An account on a removed plan gets the cheapest one."""
    platform = await start()
    key = platform.control.mint("gone", "acct_f")
    assert (await platform.chat(key=key)).status == 200
    answer = await platform.call("GET", "/v1/limits", key=key)
    limits = answer.json()
    assert (answer.status, limits["plan_name"], limits["day"]["limit"]) == (200, "Free", 60)


async def test_grants_raise_the_day(start: Start) -> None:
    """Requests granted for today raise the plan's daily limit, as reported to the client."""
    platform = await start()
    noon = stop_the_clock(platform)
    today = int(noon // 86_400)
    key = platform.control.mint("free", "acct_f", grants=((today, 3), (today + 1, 50)))
    limits = (await platform.call("GET", "/v1/limits", key=key)).json()
    assert (limits["day"]["limit"], limits["day"]["granted"]) == (63, 3)
    answer = await platform.chat(key=key)
    assert platform.record(Settled, answer.headers["x-request-id"]).day_left == 62


async def test_trace_is_kept(start: Start) -> None:
    """A caller's trace context is in the journal; what is none is not."""
    platform = await start()
    good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    for given, kept in ((good, good), (good[:-1] + "g", ""), ("00-" + "0" * 32 + good[35:], "")):
        answer = await platform.call(
            "POST", "/v1/chat/completions", chat(), headers={"traceparent": given}
        )
        assert platform.record(Settled, answer.headers["x-request-id"]).trace == kept


async def test_edited_plans_hold_from_the_next_call(start: Start) -> None:
    """Plans are edited while everything runs: another number, another tier; nonsense is left."""
    platform = await start()
    settings, key = platform.gateway.settings, platform.control.mint("free", "acct_f")
    assert (await platform.chat(key=key, model="costly")).status == 403
    shipped = SHIPPED.read_text().replace("requests_per_day = 60", "requests_per_day = 61")
    edited.save(
        settings.plans_dir,
        settings.edited_plans,
        shipped.replace('tiers = ["free"]\nqueue', 'tiers = ["free", "premium"]\nqueue'),
    )
    platform.gateway.sweep()
    limits = (await platform.call("GET", "/v1/limits", key=key)).json()
    assert limits["day"]["limit"] == 61
    assert (await platform.chat(key=key, model="costly")).status != 403
    settings.edited_plans.write_text("not plans")
    platform.gateway.sweep()
    limits = (await platform.call("GET", "/v1/limits", key=key)).json()
    assert limits["day"]["limit"] == 61
