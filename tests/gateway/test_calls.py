"""The life of a call: answers, streams, failures, disconnects, and what each leaves behind."""

import asyncio
import math
from dataclasses import replace

import pytest
from structlog.testing import capture_logs
from tests.gateway.conftest import Start, chat, stop_the_clock
from tests.waiting import until

from oxlo.engines.dialect import EngineCall
from oxlo.gateway import attempt
from oxlo.gateway.endpoints import CHAT
from oxlo.ledger.records import Admitted, Refused, Settled
from oxlo.testing.engine import Canned, EngineDouble, Script


async def test_answer(start: Start) -> None:
    """A chat is answered, counted, and written down before the reply left."""
    platform = await start()
    answer = await platform.chat()
    assert answer.status == 200
    assert answer.json()["choices"][0]["message"]["content"] == "Hello there, friend."
    request_id = answer.headers["x-request-id"]
    settled = platform.record(Settled, request_id)
    assert (settled.outcome, settled.counted, settled.status) == ("answered", True, 200)
    assert platform.record(Admitted, request_id).model == "double"
    assert settled.tokens_in == 9


async def test_stream(start: Start) -> None:
    """A stream ends in [DONE], after its receipt was written."""
    platform = await start()
    answer = await platform.chat(stream=True)
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = answer.body.split(b"\n\n")
    assert events[-2] == b"data: [DONE]"
    assert not any(b'"usage":{' in event for event in events)
    settled = platform.record(Settled, answer.headers["x-request-id"])
    assert (settled.outcome, settled.tokens_in, settled.stream) == ("answered", 9, True)


@pytest.mark.parametrize("stream", [False, True])
async def test_old_spelling_of_tools(start: Start, stream: bool) -> None:
    """The engine gets `tools`, while a client that sent `functions` gets a `function_call`."""
    platform = await start()
    script = Script(text="", tool_calls=(("add", '{"a": 1}'),), finish="tool_calls")
    platform.engine.next.append(script)
    answer = await platform.chat(functions=[{"name": "add"}], stream=stream)
    sent = platform.engine.calls[-1].json()
    assert not {"functions", "function_call"} & sent.keys()
    assert sent["tools"] == [{"type": "function", "function": {"name": "add"}}]
    assert b'"function_call":{"name":"add","arguments":' in answer.body
    assert b'"finish_reason":"function_call"' in answer.body
    assert b"tool_calls" not in answer.body
    settled = platform.record(Settled, answer.headers["x-request-id"])
    assert (settled.outcome, settled.finish) == ("answered", "function_call")


async def test_private_fields_dropped(start: Start) -> None:
    """Fields beyond the allow-list never reach an engine, and are listed in a header."""
    platform = await start()
    answer = await platform.chat(ignore_eos=True, priority=-5, n_predict=9, chat_template="x")
    sent = platform.engine.calls[0].json()
    assert not {"ignore_eos", "n_predict", "chat_template"} & set(sent)
    assert "ignore_eos" in answer.headers["x-oxlo-ignored-fields"]


@pytest.mark.parametrize("stream", [False, True])
async def test_samplers_without_effect_are_named(start: Start, stream: bool) -> None:
    """A sampler that this kind of engine has not is named as a field that is ignored."""
    platform = await start("openai")
    answer = await platform.chat(stream=stream, tfs_z=0.5, top_k=3)
    assert answer.headers["x-oxlo-ignored-fields"] == "top_k, tfs_z"


async def test_engine_error_keeps_status(start: Start) -> None:
    """An engine's 500 is a 502 that does not count, with the true status even for a stream."""
    platform = await start()
    platform.engine.next.append(Script(status=500))
    answer = await platform.chat(stream=True)
    assert answer.status == 502
    settled = platform.record(Settled, answer.headers["x-request-id"])
    assert (settled.counted, settled.minute_counted, settled.error) == (
        False,
        False,
        "engine_failed",
    )


async def test_all_replicas_fail(start: Start) -> None:
    """Each replica is tried once, then the call is a 502; the next call is answered."""
    platform = await start()
    async with EngineDouble() as second:
        platform.replicas(platform.engine, second)
        for engine in (platform.engine, second):
            engine.next.append(Script(status=500))
        assert (await platform.chat()).status == 502
        assert (len(platform.engine.calls), len(second.calls)) == (1, 1)
        assert (await platform.chat()).status == 200


async def test_error_event_before_content(start: Start) -> None:
    """An error inside a 200 stream, before content, has its true status."""
    platform = await start()
    platform.engine.next.append(Script(error="out of memory", after=0))
    answer = await platform.chat(stream=True)
    assert answer.status == 502


async def test_error_event_after_content(start: Start) -> None:
    """After content it is an event that the SDKs raise on, nothing follows, nothing counts."""
    platform = await start()
    platform.engine.next.append(Script(error="out of memory", after=1))
    answer = await platform.chat(stream=True)
    assert answer.status == 200
    last = answer.body.strip().split(b"\n\n")[-1]
    assert last.startswith(b'data: {"error"')
    settled = platform.record(Settled, answer.headers["x-request-id"])
    assert (settled.outcome, settled.counted) == ("failed", False)


async def test_cut_mid_stream(start: Start) -> None:
    """An engine that dies in mid-stream ends the stream with an error event."""
    platform = await start()
    platform.engine.next.append(Script(cut=True, after=1))
    answer = await platform.chat(stream=True)
    assert answer.body.strip().split(b"\n\n")[-1].startswith(b'data: {"error"')
    assert b"[DONE]" not in answer.body


@pytest.mark.parametrize("script", [Script(garbage="nonsense\r\n\r\n"), Script(cut=True, after=0)])
async def test_garbage(start: Start, script: Script) -> None:
    """An engine that talks nonsense is a 502."""
    platform = await start()
    platform.engine.next.append(script)
    assert (await platform.chat()).status == 502


@pytest.mark.parametrize(("status", "size"), [(500, attempt.ERROR_LIMIT), (200, CHAT.largest)])
async def test_a_reply_without_end(start: Start, status: int, size: int) -> None:
    """An engine that goes on and on is given up: no more is kept than a reply may have."""
    platform = await start()
    pieces = (b" " * size, b" ", b"never sent")
    platform.engine.canned[CHAT.path] = Canned(status=status, pieces=pieces, gate="never")
    answer = await platform.chat()
    assert (answer.status, answer.code) == (502, "engine_failed")
    await platform.engine.until(lambda engine: engine.outstanding == 0)


async def test_open_ended_is_not_counted(start: Start) -> None:
    """If neither client nor plan limits the output, vLLM gets no limit and no count request."""
    platform = await start("vllm")
    assert (await platform.chat()).status == 200
    assert [request.path for request in platform.engine.requests] == ["/v1/chat/completions"]
    assert "max_tokens" not in platform.engine.requests[0].json()
    limited = {"model": "double", "prompt": "hi"}  # here vLLM's own default would be 16 tokens
    assert (await platform.call("POST", "/v1/completions", limited)).status == 200
    assert platform.engine.calls[-1].json()["max_tokens"] > 16


async def test_gone_before_start(start: Start) -> None:
    """A client that leaves a stream before its first content is not charged; the slot is free."""
    platform = await start()
    platform.engine.next.append(Script(gate="never"))
    client = platform.client()
    await client.send("POST", "/v1/chat/completions", chat(stream=True))
    await platform.engine.until(lambda e: e.outstanding == 1)
    client.leave()
    await platform.engine.until(lambda e: e.cancelled == 1)
    (settled,) = await platform.ended()
    assert isinstance(settled, Settled)
    assert (settled.outcome, settled.counted, settled.minute_counted) == ("cancelled", False, False)
    assert not platform.gateway.calls


async def test_gone_mid_stream(start: Start) -> None:
    """After content the day is refunded, the minute is not, and the engine stops."""
    platform = await start()
    platform.engine.next.append(Script(middle_gate="never", after=1))
    client = platform.client()
    await client.send("POST", "/v1/chat/completions", chat(stream=True))
    await client.head()
    await client.reader.readuntil(b"Hello")
    client.leave()
    await platform.engine.until(lambda e: e.cancelled == 1)
    (settled,) = await platform.ended()
    assert isinstance(settled, Settled)
    assert (settled.outcome, settled.counted, settled.minute_counted) == ("abandoned", False, True)


@pytest.mark.parametrize("breaks", [False, True])
async def test_usage_without_an_end(start: Start, breaks: bool) -> None:
    """A stream that did not end has the pieces of it that were sent, and a prompt if counted."""
    platform = await start("llamacpp")
    key = platform.control.mint("free", "acct_f")  # its input is capped
    platform.engine.next.append(
        Script(chunks=4, after=3, cut=breaks, middle_gate="" if breaks else "never")
    )
    client = platform.client(key)
    long = [{"role": "user", "content": "word " * 1000}]
    await client.send("POST", "/v1/chat/completions", chat(stream=True, messages=long))
    await client.head()
    await client.reader.readuntil(b"e, fr")
    if not breaks:
        client.leave()
    await platform.engine.until(lambda e: e.outstanding == 0)
    await until(lambda: not platform.gateway.calls)
    (settled,) = await platform.ended()
    assert isinstance(settled, Settled)
    assert (settled.outcome, settled.tokens_out) == ("failed" if breaks else "abandoned", 3)
    assert settled.tokens_in > 0


async def test_queue_and_cancel(start: Start) -> None:
    """Over the slots a call waits; one that leaves the queue frees its place at once."""
    platform = await start()
    platform.replicas(platform.engine, slots=1)
    platform.engine.default = Script(gate="go")
    first, second = platform.client(), platform.client()
    await first.send("POST", "/v1/chat/completions", chat())
    await platform.engine.until(lambda e: e.outstanding == 1)
    await second.send("POST", "/v1/chat/completions", chat())
    group = platform.gateway.backends.group("double")
    assert group is not None
    await until(lambda: len(group.queue) == 1)
    second.leave()
    await until(lambda: not group.queue)
    platform.engine.gates["go"].set()
    assert (await first.answer()).status == 200
    assert platform.engine.peak == 1


async def test_queued_is_served(start: Start) -> None:
    """A freed slot goes to the waiting call."""
    platform = await start()
    platform.replicas(platform.engine, slots=1)
    answers = await asyncio.gather(*(platform.chat() for _ in range(8)))
    assert [a.status for a in answers] == [200] * 8
    assert platform.engine.peak == 1


async def test_who_waits_is_told(start: Start) -> None:
    """Comments in a stream that waits say the place and about how long; the head says how long."""
    platform = await start(head_hold=0.0)
    platform.replicas(platform.engine, slots=1)
    platform.engine.next.append(Script(gate="go"))
    first, second = platform.client(), platform.client()
    clock = platform.gateway.clock
    began = clock()
    platform.gateway.clock = lambda: began  # a busy machine must not add waiting time
    await first.send("POST", "/v1/chat/completions", chat())
    await platform.engine.until(lambda e: e.outstanding == 1)
    platform.gateway.clock = clock
    await second.send("POST", "/v1/chat/completions", chat(stream=True))
    group = platform.gateway.backends.group("double")
    assert group is not None
    await until(lambda: len(group.queue) == 1)
    platform.gateway.sweep()
    assert int((await second.head()).headers["x-oxlo-queue-ms"]) >= 0
    told = await second.reader.readuntil(b"\n\n")
    assert b": waiting for the model, place 1, about 1 s" in told
    platform.engine.gates["go"].set()
    assert (await first.answer()).headers["x-oxlo-queue-ms"] == "0"
    assert b"[DONE]" in await second.reader.read()


async def test_stalled_engine(start: Start) -> None:
    """An engine that never answers is a 504 after the engine timeout."""
    platform = await start(engine_timeout=0.0)
    platform.engine.next.append(Script(silent=True))
    client = platform.client()
    await client.send("POST", "/v1/chat/completions", chat())
    await platform.engine.until(lambda e: e.outstanding == 1)
    platform.gateway.sweep()
    answer = await client.answer()
    assert (answer.status, answer.code) == (504, "engine_timeout")
    await platform.engine.until(lambda e: e.cancelled == 1)


async def test_crash_of_the_next_call(start: Start) -> None:
    """A bug met by the call that gets a freed slot ends that call, uncounted, and no other."""

    def broken(*request: object) -> EngineCall:
        raise RuntimeError("a bug")

    platform = await start()
    platform.replicas(platform.engine, slots=1)
    platform.engine.next.append(Script(gate="go"))
    first, second = platform.client(), platform.client()
    await first.send("POST", "/v1/chat/completions", chat())
    await platform.engine.until(lambda e: e.outstanding == 1)
    await second.send("POST", "/v1/chat/completions", chat())
    group = platform.gateway.backends.group("double")
    assert group is not None
    await until(lambda: len(group.queue) == 1)
    (waiting,) = group.queue
    waiting.item.endpoint = replace(waiting.item.endpoint, build=broken)
    platform.engine.gates["go"].set()
    answers = [await client.answer() for client in (first, second)]
    assert [answer.status for answer in answers] == [200, 500]
    settled = platform.record(Settled, answers[1].headers["x-request-id"])
    assert (settled.status, settled.counted, settled.minute_counted) == (500, False, False)
    assert not platform.gateway.calls
    assert group.backends[0].in_use == 0
    assert (await platform.chat()).status == 200


async def test_sweep_survives_failures(start: Start) -> None:
    """A step of the periodic work that fails, here by an impossible date, stops no other step."""
    platform = await start(engine_timeout=0.0)
    platform.engine.next.append(Script(silent=True))
    client = platform.client()
    await client.send("POST", "/v1/chat/completions", chat())
    await platform.engine.until(lambda e: e.outstanding == 1)
    wall, broken = platform.gateway.wall, iter([math.inf])
    platform.gateway.wall = lambda: next(broken, None) or wall()
    with capture_logs() as logs:
        platform.gateway.sweep()
    assert {log["event"] for log in logs} >= {"sweep.failed"}
    assert (await client.answer()).status == 504


async def test_head_held_then_comments(start: Start) -> None:
    """A quiet stream gets its head and a comment after a while, and errors become events."""
    platform = await start(head_hold=0.0)
    platform.engine.next.append(Script(gate="go", status=500))
    client = platform.client()
    await client.send("POST", "/v1/chat/completions", chat(stream=True))
    await platform.engine.until(lambda e: e.outstanding == 1)
    platform.gateway.sweep()
    assert (await client.head()).status == 200
    assert b": the model is working" in await client.reader.readuntil(b"working")
    platform.engine.gates["go"].set()
    assert b'data: {"error"' in await client.reader.read()


async def test_refusal_has_receipt(start: Start) -> None:
    """A refused call of a known account is written down too."""
    platform = await start()
    answer = await platform.chat(temperature=2.5)
    assert answer.status == 400
    assert answer.json()["error"]["param"] == "temperature"
    refused = platform.record(Refused, answer.headers["x-request-id"])
    assert refused.status == 400


async def test_not_deployed(start: Start) -> None:
    """A known model without replicas is a 503 that names ready ones."""
    platform = await start()
    answer = await platform.chat(model="costly")
    assert (answer.status, answer.code) == (503, "model_not_deployed")
    assert "double" in answer.json()["error"]["message"]


async def test_restart_keeps_counts(start: Start) -> None:
    """A new gateway on the same home knows today's counts."""
    platform = await start()
    stop_the_clock(platform)
    key = platform.control.mint("free", "acct_f")
    await platform.chat(key=key)
    await platform.end()
    again = await start()
    stop_the_clock(again)
    key = again.control.mint("free", "acct_f")
    limits = (await again.call("GET", "/v1/limits", key=key)).json()
    assert limits["day"]["used"] == 1
