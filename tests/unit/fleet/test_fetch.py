"""The small client for polls and warm-up, against real sockets."""

import asyncio

import pytest

from oxlo.fleet.fetch import LARGEST, NoAnswer, Refused, fetch
from oxlo.testing.engine import Canned, EngineDouble, Script


async def test_get_and_post() -> None:
    """Status and whole body come back; the key is sent as a bearer token."""
    async with EngineDouble("openai", api_key="k1") as double:
        models = await fetch(double.address, "/v1/models", api_key="k1", deadline=60)
        refused = await fetch(double.address, "/v1/models", api_key="k2", deadline=60)
    assert (models.status, refused.status) == (200, 401)
    assert b'"double"' in models.body


async def test_stream_is_read_to_its_end() -> None:
    """A chunked stream is one body here."""
    async with EngineDouble("llamacpp") as double:
        body = {"messages": [], "stream": True}
        reply = await fetch(double.address, "/v1/chat/completions", body=body, deadline=60)
    assert reply.body.endswith(b"data: [DONE]\n\n")


async def test_deadline() -> None:
    """An engine that never answers is NoAnswer."""
    async with EngineDouble() as double:
        double.default = Script(silent=True)
        with pytest.raises(NoAnswer):
            await fetch(double.address, "/v1/completions", body={}, deadline=0.05)


async def test_cut_connection_is_refused() -> None:
    """A reply that is cut off is not taken for a whole one."""
    async with EngineDouble() as double:
        double.default = Script(cut=True)
        with pytest.raises(Refused):
            await fetch(double.address, "/v1/completions", body={"stream": True}, deadline=60)


async def test_reply_without_end_is_refused() -> None:
    """What goes on and on is not kept."""
    async with EngineDouble() as double:
        double.canned["/v1/x"] = Canned(pieces=(b" " * LARGEST, b"never sent"), gate="never")
        with pytest.raises(Refused, match="does not end"):
            await fetch(double.address, "/v1/x", deadline=60)


async def test_garbage_is_refused() -> None:
    """What is not HTTP is refused."""
    async with EngineDouble() as double:
        double.default = Script(garbage="SSH-2.0\r\n")
        with pytest.raises(Refused):
            await fetch(double.address, "/v1/completions", body={}, deadline=60)


async def test_nobody_listens() -> None:
    """A closed port is refused."""
    async with EngineDouble() as double:
        address = double.address
    with pytest.raises(Refused):
        await fetch(address, "/", deadline=60)


async def test_body_ends_with_the_connection() -> None:
    """A reply without a length is read until the server closes."""
    server = await asyncio.start_server(_unframed, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        reply = await fetch(f"http://127.0.0.1:{port}", "/", deadline=60)
    assert reply.body == b"to the end"


async def _unframed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\n\r\nto the end")
    await writer.drain()
    writer.close()
