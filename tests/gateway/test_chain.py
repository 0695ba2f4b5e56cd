"""Fallback models (`models` beside `model`): which one answers, and how it is reported."""

import asyncio
import time
from typing import Any

import pytest
from tests.gateway.conftest import Answer, Platform, Start, chat, replica, stop_the_clock
from tests.waiting import until

from oxlo.fleet import registry
from oxlo.fleet.registry import Replica, ReplicaList, ReplicaState
from oxlo.ledger.records import Admitted, Refused, Settled
from oxlo.plans import Priority
from oxlo.queue import Waiting
from oxlo.testing.engine import EngineDouble, Script


def serve(platform: Platform, *replicas: Replica) -> None:
    """Have exactly these replicas."""
    registry.write(platform.gateway.settings.replicas_file, ReplicaList(time.time(), replicas))
    platform.gateway.backends.refresh()


def both(platform: Platform, other: EngineDouble, **first: Any) -> None:
    """`costly` at the platform's engine, `double` at the other."""
    serve(
        platform,
        replica(platform.engine, "costly-0", "costly", **first),
        replica(other, "double-0", "double"),
    )


async def ask(platform: Platform, **fields: object) -> Answer:
    """A call to `costly` that `double` may answer."""
    return await platform.chat(**{"model": "costly", "models": ["double"]} | fields)


def tried(platform: Platform, answer: Answer) -> tuple[str, str, str]:
    """The model that answered, those that did not (header and receipt agree), and the replica."""
    settled = platform.record(Settled, answer.headers["x-request-id"])
    assert settled.tried == answer.headers.get("x-oxlo-tried", "")
    assert settled.model == answer.headers["x-oxlo-model"]
    return settled.model, settled.tried, settled.replica


@pytest.mark.parametrize("stream", [False, True])
async def test_first_answers_while_it_can(start: Start, stream: bool) -> None:
    """A chain changes nothing while its first model answers."""
    platform = await start()
    async with EngineDouble("openai") as other:
        both(platform, other)
        answer = await ask(platform, stream=stream)
        assert tried(platform, answer) == ("costly", "", "costly-0")
        assert not other.calls
        body = platform.engine.calls[-1].json()
        assert "models" not in body


@pytest.mark.parametrize("stream", [False, True])
async def test_next_answers_after_a_failure(start: Start, stream: bool) -> None:
    """If all replicas fail before the first byte, the next model answers, under its own name."""
    platform = await start()
    async with EngineDouble("openai") as other:
        both(platform, other)
        platform.engine.default = Script(status=500)
        answer = await ask(platform, stream=stream)
        assert answer.status == 200
        assert b'"model":"double"' in answer.body.replace(b'": "', b'":"')
        assert tried(platform, answer) == ("double", "costly=engine_failed", "double-0")


async def test_counted_once(start: Start) -> None:
    """However many models are tried, it is one request of the day and the minute."""
    platform = await start()
    key = platform.control.mint("premium", "acct_p")
    stop_the_clock(platform)
    async with EngineDouble("openai") as other:
        both(platform, other)
        platform.engine.default = Script(status=500)
        answer = await platform.chat(key=key, model="costly", models=["double"])
        assert answer.status == 200
        said = (await platform.call("GET", "/v1/limits", key=key)).json()
        assert (said["day"]["used"], said["minute"]["used"]) == (1, 1)
        assert said["concurrency"]["in_use"] == 0
        records = [r for r in platform.records() if isinstance(r, Admitted | Settled)]
        assert [type(record) for record in records] == [Admitted, Settled]


@pytest.mark.parametrize(
    ("state", "why"),
    [(None, "model_not_deployed"), (ReplicaState.WARMING, "overloaded")],
)
async def test_next_answers_what_is_not_ready(
    start: Start, state: ReplicaState | None, why: str
) -> None:
    """A model that is not served, or still loads, passes the call on."""
    platform = await start()
    async with EngineDouble("openai") as other:
        if state is None:
            serve(platform, replica(other, "double-0", "double"))
        else:
            both(platform, other, state=state)
        answer = await ask(platform)
        assert tried(platform, answer) == ("double", f"costly={why}", "double-0")
        assert (await ask(platform, models=[])).code == why


async def test_full_line_passes_on(start: Start) -> None:
    """A model whose slots are taken and whose line is full is not waited for."""
    platform = await start(queue_limit=0)
    async with EngineDouble("openai") as other:
        both(platform, other, slots=1)
        platform.engine.default = Script(gate="go")
        running = asyncio.create_task(ask(platform))
        await platform.engine.until(lambda e: e.outstanding == 1)
        answer = await ask(platform)
        assert tried(platform, answer) == ("double", "costly=queue_full", "double-0")
        assert (await ask(platform, models=[])).code == "queue_full"
        platform.engine.gates["go"].set()
        assert (await running).headers["x-oxlo-model"] == "costly"


async def test_long_wait_passes_on(start: Start) -> None:
    """A line in which the turn would come too late is left at once, or when its time is over."""
    platform = await start(engine_timeout=1e9)
    async with EngineDouble("openai") as other:
        both(platform, other, slots=1)
        platform.engine.default = Script(gate="go")
        running = asyncio.create_task(ask(platform))
        await platform.engine.until(lambda e: e.outstanding == 1)
        waiting = asyncio.create_task(ask(platform))
        group = platform.gateway.backends.group("costly")
        assert group is not None
        await until(lambda: len(group.queue) == 1)
        clock = platform.gateway.clock
        platform.gateway.clock = lambda: clock() + 3600
        platform.gateway.sweep()
        late = await waiting
        assert tried(platform, late) == ("double", "costly=queue_timeout", "double-0")
        platform.engine.gates["go"].set()
        assert (await running).status == 200


async def test_expected_wait_passes_on(start: Start) -> None:
    """A turn that would come after the plan's longest wait, at the pace of late, is not awaited."""
    platform = await start()
    async with EngineDouble("openai") as other:
        both(platform, other, slots=1)
        platform.engine.default = Script(gate="go")
        running = asyncio.create_task(ask(platform))
        await platform.engine.until(lambda e: e.outstanding == 1)
        slow(platform.gateway.backends.group("costly"))
        answer = await ask(platform)
        assert tried(platform, answer) == ("double", "costly=queue_timeout", "double-0")
        patient = asyncio.create_task(ask(platform, models=["costly", "seer"]))
        group = platform.gateway.backends.group("costly")
        await until(lambda: bool(group.queue))  # no other model is available, so it waits
        platform.engine.gates["go"].set()
        assert tried(platform, await patient) == ("costly", "seer=model_not_deployed", "costly-0")
        assert (await running).status == 200


def slow(group: Any) -> None:
    """Let slots of a model have come free a million seconds apart."""
    for name in ("a", "b", "c"):
        waiting = Waiting(
            priority=Priority.HIGH, account=name, cost=1, enqueued_at=0, wait_limit=9e9, item=name
        )
        group.queue.push(waiting)
    for moment in (0.0, 1e6, 2e6):
        group.queue.pop(moment)


async def test_third_answers(start: Start) -> None:
    """A chain is followed in the caller's order; names twice are one; the receipt has all."""
    platform = await start()
    async with EngineDouble("openai") as other:
        serve(
            platform,
            replica(platform.engine, "costly-0", "costly"),
            replica(other, "double-0", "double"),
        )
        platform.engine.default = Script(status=500)
        answer = await ask(platform, models=["seer", "costly", "seer", "double"])
        want = ("double", "costly=engine_failed, seer=model_not_deployed", "double-0")
        assert tried(platform, answer) == want


async def test_nobody_answers(start: Start) -> None:
    """The error is that of the last available model; header and receipt list the others."""
    platform = await start()
    async with EngineDouble("openai") as other:
        both(platform, other)
        platform.engine.default = Script(status=500)
        other.default = Script(status=429, retry_after="100000")
        answer = await ask(platform)
        assert answer.status == 503
        assert answer.headers["x-oxlo-tried"] == "costly=engine_failed"
        assert "x-oxlo-model" not in answer.headers
        settled = platform.record(Settled, answer.headers["x-request-id"])
        assert (settled.counted, settled.model, settled.tried) == (
            False, "double", "costly=engine_failed",
        )  # fmt: skip


async def test_nobody_is_there(start: Start) -> None:
    """If no model is deployed, the error is that of the first."""
    platform = await start()
    serve(platform)
    answer = await ask(platform)
    assert (answer.status, answer.code) == (503, "model_not_deployed")
    refused = platform.record(Refused, answer.headers["x-request-id"])
    assert (refused.model, refused.tried) == ("costly", "double=model_not_deployed")


async def test_callers_mistakes_lead_nowhere(start: Start) -> None:
    """A client error from the engine is returned without trying other models."""
    platform = await start()
    async with EngineDouble("openai") as other:
        both(platform, other)
        platform.engine.default = Script(status=400)
        answer = await ask(platform)
        assert answer.status == 400
        assert not other.calls


async def test_nothing_after_the_first_word(start: Start) -> None:
    """A stream that breaks after its first word ends as an error: its words were one model's."""
    platform = await start()
    async with EngineDouble("openai") as other:
        both(platform, other)
        platform.engine.default = Script(cut=True, after=2)
        answer = await ask(platform, stream=True)
        assert b'"error"' in answer.body
        assert not other.calls


@pytest.mark.parametrize(
    ("models", "plan", "status", "code"),
    [
        (["nobody"], "premium", 404, "model_not_found"),
        (["vectors"], "premium", 400, "wrong_endpoint"),
        (["costly"], "free", 403, "model_access_denied"),
        (["costly"] * 9, "premium", 400, "invalid_value"),
        ([""], "premium", 400, "invalid_value"),
        ("costly", "premium", 400, "invalid_value"),
        ([1], "premium", 400, "invalid_value"),
    ],
)
async def test_named_models_must_be_possible(
    start: Start, models: object, plan: str, status: int, code: str
) -> None:
    """A model that could never answer this caller is refused at once, the first being ready."""
    platform = await start()
    key = platform.control.mint(plan, "acct_x")
    answer = await platform.chat(key=key, models=models)
    assert (answer.status, answer.code) == (status, code)
    assert answer.json()["error"]["param"].startswith("models")


async def test_abilities_hold_for_each(start: Start) -> None:
    """A model without vision is not a fallback for a call with an image."""
    platform = await start()
    serve(platform, *(replica(platform.engine, f"{m}-0", m) for m in ("seer", "double")))
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    messages = [{"role": "user", "content": [picture]}]
    answer = await platform.chat(model="seer", models=["double"], messages=messages)
    assert (answer.status, answer.code) == (400, "unsupported_ability")


async def test_key_for_some_models(start: Start) -> None:
    """A key that may use one model cannot reach another through a chain."""
    platform = await start()
    key = platform.control.mint("premium", "acct_k", models=("double",))
    answer = await platform.chat(key=key, models=["costly"])
    assert (answer.status, answer.code) == (403, "permission_denied")


async def test_embeddings_refuse(start: Start) -> None:
    """Vectors of another model are useless beside those of the first."""
    platform = await start()
    platform.also(("vectors", "openai"))
    body = {"model": "vectors", "input": "x", "models": ["other"]}
    answer = await platform.call("POST", "/v1/embeddings", body)
    assert (answer.status, answer.code) == (400, "unsupported_parameter")
    assert "vectors of another model" in answer.json()["error"]["message"]


async def test_completions_have_chains(start: Start) -> None:
    """The older endpoint takes `models` as well."""
    platform = await start()
    body = {"model": "costly", "models": ["double"], "prompt": "Once"}
    answer = await platform.call("POST", "/v1/completions", body)
    assert (answer.status, answer.json()["model"]) == (200, "double")


async def test_dry_run_tells_who_would(start: Start) -> None:
    """A dry run names the model that would answer now."""
    platform = await start()
    dry = {"x-oxlo-dry-run": "1"}
    body = chat(model="costly", models=["double"])
    answer = await platform.call("POST", "/v1/chat/completions", body, dry)
    assert (answer.status, answer.json()["model"]) == (200, "double")
    assert answer.headers["x-oxlo-tried"] == "costly=model_not_deployed"


async def test_counted_for_the_model_whose_turn_it_is(start: Start) -> None:
    """A prompt is counted and capped again for the next model, by its own engine."""
    platform = await start("llamacpp")
    async with EngineDouble("llamacpp") as other:
        both(platform, other)
        platform.engine.default = Script(status=500)
        answer = await ask(platform, max_tokens=100_000, messages=[
            {"role": "user", "content": "word " * 6000},
        ])  # fmt: skip
        assert answer.status == 200
        assert tried(platform, answer)[0] == "double"
        assert other.counts  # it was asked for the tokens


@pytest.mark.parametrize("name", ["costly", "COSTLY", "costly\r\n\r\n"])
async def test_tried_by_their_own_names(start: Start, name: str) -> None:
    """However a client spells a model, the header and the receipt name it as the catalogue does."""
    platform = await start()
    answer = await platform.chat(model=name, models=["double"])
    assert answer.headers["x-oxlo-tried"] == "costly=model_not_deployed"
    tried(platform, answer)
    refused = await platform.chat(model=name, models=[f"seer{name[6:]}"])
    assert refused.status == 503
    assert refused.headers["x-oxlo-tried"] == "seer=model_not_deployed"


async def test_a_model_is_tried_once(start: Start) -> None:
    """Two spellings of a model are one model."""
    platform = await start()
    answer = await platform.chat(model="costly", models=["COSTLY", "double", "Double"])
    assert tried(platform, answer)[1] == "costly=model_not_deployed"


async def test_full_everywhere_waits_for_the_next(start: Start) -> None:
    """A waiting call that finds the line of all gateways full waits in line for the next model."""
    platform = await start()
    async with EngineDouble("openai") as other:
        serve(
            platform,
            replica(platform.engine, "costly-0", "costly", slots=1),
            replica(other, "double-0", "double", slots=1),
        )
        groups = {group.model: group for group in platform.gateway.backends.groups()}
        platform.engine.default = other.default = Script(gate="go")
        running = [asyncio.create_task(platform.chat(model=model)) for model in groups]
        await until(lambda: not any(g.has_slot(0.0) for g in groups.values()))
        waiting = asyncio.create_task(ask(platform))
        await until(lambda: len(groups["costly"].queue) == 1)
        (entry,) = groups["costly"].queue
        entry.item.full()
        assert [each.item for each in groups["double"].queue] == [entry.item]
        for engine in (platform.engine, other):
            engine.gates["go"].set()
        assert tried(platform, await waiting) == ("double", "costly=queue_full", "double-0")
        assert {answer.status for answer in await asyncio.gather(*running)} == {200}
