"""The shipped engine double does what it is told, over real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import pytest
from openai import APIStatusError, AsyncOpenAI

from oxlo.testing.engine import EngineDouble, Script

DIALECTS = ("openai", "vllm", "llamacpp")


@pytest.fixture(params=DIALECTS)
async def double(request: pytest.FixtureRequest) -> AsyncIterator[EngineDouble]:
    async with EngineDouble(request.param) as engine:
        yield engine


@pytest.fixture
async def client(double: EngineDouble) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key="k", base_url=f"{double.address}/v1", max_retries=0) as client:
        yield client


def ask(client: AsyncOpenAI, **more: Any) -> Awaitable[Any]:
    messages: Any = [{"role": "user", "content": "Say hello"}]
    return client.chat.completions.create(model="double", messages=messages, **more)


async def test_whole_reply(client: AsyncOpenAI, double: EngineDouble) -> None:
    """The real SDK reads the scripted text in every dialect."""
    double.next.append(Script(text="one two three", prompt_tokens=7))
    reply = await ask(client)
    assert reply.choices[0].message.content == "one two three"
    assert reply.usage
    assert reply.usage.total_tokens == 10
    assert double.calls[0].json()["messages"] == [{"role": "user", "content": "Say hello"}]


async def test_stream(client: AsyncOpenAI, double: EngineDouble) -> None:
    """A stream holds the text in pieces, one finish reason, and usage when asked for."""
    double.next.append(Script(text="abcdef", chunks=3))
    stream = await ask(client, stream=True, stream_options={"include_usage": True})
    events = [event async for event in stream]
    choices = [event.choices[0] for event in events if event.choices]
    assert [c.delta.content for c in choices if c.delta.content] == ["ab", "cd", "ef"]
    assert [c.finish_reason for c in choices if c.finish_reason] == ["stop"]
    assert events[-1].usage
    assert events[-1].usage.completion_tokens == 1


async def test_vllm_running_usage() -> None:
    """Asked for it, vLLM tells the usage so far in each event."""
    options = {"include_usage": True, "continuous_usage_stats": True}
    async with (
        EngineDouble("vllm") as double,
        AsyncOpenAI(api_key="k", base_url=f"{double.address}/v1") as client,
    ):
        double.next.append(Script(text="a b c ", chunks=3))
        stream = await ask(client, stream=True, stream_options=options)
        told = [event.usage.completion_tokens async for event in stream]
    assert told == [0, 1, 2, 3, 3, 3]


async def test_split_writes(client: AsyncOpenAI, double: EngineDouble) -> None:
    """Events cut anywhere still make the same text."""
    double.next.append(Script(text="naïve café", split=7))
    parts = [e.choices[0].delta.content or "" async for e in await ask(client, stream=True)]
    assert "".join(parts) == "naïve café"


async def test_tool_calls(client: AsyncOpenAI, double: EngineDouble) -> None:
    """Tool calls are told whole, and in fragments when streamed."""
    script = Script(tool_calls=(("get_weather", '{"city":"Paris"}'),))
    double.next.extend([script, script])
    whole = await ask(client)
    assert whole.choices[0].message.tool_calls[0].function.arguments == '{"city":"Paris"}'
    stream = await ask(client, stream=True)
    calls = [c async for e in stream for c in e.choices[0].delta.tool_calls or []]
    assert calls[0].function.name == "get_weather"
    assert "".join(c.function.arguments or "" for c in calls) == '{"city":"Paris"}'


async def test_gate_holds_reply(client: AsyncOpenAI, double: EngineDouble) -> None:
    """A gated call is outstanding until its gate opens."""
    double.next.append(Script(gate="go"))
    reply = asyncio.ensure_future(ask(client))
    await double.until(lambda d: d.outstanding == 1)
    assert not reply.done()
    double.gates["go"].set()
    assert (await reply).choices[0].message.content
    await double.until(lambda d: d.answered == 1)


async def test_disconnect_is_counted(client: AsyncOpenAI, double: EngineDouble) -> None:
    """A client that leaves mid-stream frees its slot and is remembered."""
    double.next.append(Script(stall=True, after=1))
    async with await ask(client, stream=True) as stream:
        async for event in stream:
            if event.choices[0].delta.content:
                break
    await double.until(lambda d: d.outstanding == 0)
    assert (double.cancelled, double.answered) == (1, 0)


async def test_scripted_status(client: AsyncOpenAI, double: EngineDouble) -> None:
    """A scripted status comes with the dialect's error and Retry-After."""
    double.next.append(Script(status=503, retry_after="3"))
    with pytest.raises(APIStatusError) as caught:
        await ask(client)
    assert caught.value.status_code == 503
    assert caught.value.response.headers["retry-after"] == "3"


@pytest.mark.parametrize("after", [0, 2])
async def test_cut_stream(double: EngineDouble, after: int) -> None:
    """A cut stream ends without the last chunk, after as many pieces as told."""
    double.next.append(Script(text="abc", chunks=3, cut=True, after=after))
    received = await _raw(double, {"stream": True, "messages": [], "model": "m"})
    assert [part in received for part in (b'"a"', b'"b"', b'"c"')] == [after > 0, after > 1, False]
    assert b"[DONE]" not in received
    assert not received.endswith(b"0\r\n\r\n")


async def test_error_event(double: EngineDouble) -> None:
    """An error inside a 200 stream is an event of its own, and the stream ends whole."""
    double.next.append(Script(error="out of memory", after=0))
    received = await _raw(double, {"stream": True, "messages": [], "model": "m"})
    assert b"200 OK" in received
    assert b"out of memory" in received
    assert received.endswith(b"0\r\n\r\n")


async def test_garbage(double: EngineDouble) -> None:
    """Garbage is sent as it is."""
    double.next.append(Script(garbage="SSH-2.0-nonsense\r\n"))
    assert await _raw(double, {"messages": []}) == b"SSH-2.0-nonsense\r\n"


async def test_script_over_http(client: AsyncOpenAI, double: EngineDouble) -> None:
    """A double in another process is told over its control endpoint."""
    await _raw(double, {"text": "told"}, path="/_script")
    assert (await ask(client)).choices[0].message.content == "told"


async def _raw(double: EngineDouble, body: object, path: str = "/v1/chat/completions") -> bytes:
    """All bytes of one reply, to the end of the connection."""
    data = json.dumps(body).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", double.port)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n"
    writer.write(head.encode() + data)
    received = b""
    try:
        while part := await reader.read(65536):
            received += part
            if received.endswith((b"0\r\n\r\n", b"{}")):
                break
    except ConnectionResetError:
        pass  # a cut connection may say so
    finally:
        writer.close()
    return received
