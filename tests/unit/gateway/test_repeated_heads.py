"""Repeated heads give the same result as the parser."""

import asyncio

import pytest
from tests.unit.gateway.conftest import Served
from tests.waiting import PATIENCE, until

from oxlo.gateway.repeated_heads import RepeatedHead, split_head

HEAD = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nX-Y: z\r\n\r\n"
FIELDS = {b"host": b"x", b"content-length": b"2", b"x-y": b"z"}


def repeat(data: bytes = HEAD + b"ab", size: int = 2) -> RepeatedHead:
    around = split_head(data, size)
    assert around is not None
    return RepeatedHead(*around, FIELDS)


def post(body: bytes, extra: bytes = b"") -> bytes:
    return b"POST /a HTTP/1.1\r\nhost: x\r\n%bcontent-length: %d\r\n\r\n%b" % (
        extra,
        len(body),
        body,
    )


@pytest.mark.parametrize("body", [b"", b"a", b"abcdefghij", b"x" * 12_345])
def test_another_length(body: bytes) -> None:
    """A repeated head with another body length is recognised, and has the new length."""
    data = HEAD.replace(b": 2", b": %d" % len(body)) + body
    head = repeat()
    begin = head.body_of(data)
    assert data[begin:] == body
    assert head.headers(data, begin) == FIELDS | {b"content-length": b"%d" % len(body)}


def test_any_other_byte() -> None:
    """A head that differs in any other byte is not a repetition."""
    head, data = repeat(), HEAD + b"ab"
    for place in range(len(HEAD)):
        for byte in b"\r\n :;Zz29":
            other = data[:place] + bytes([byte]) + data[place + 1 :]
            assert (head.body_of(other) == len(HEAD)) is (other == data)


@pytest.mark.parametrize(
    "length",
    [b"", b"3", b"1", b"-2", b"+2", b"2 ", b" 2", b"2\r\nX: y", b"0x2", b"\xb2", b"000000002"],
)
def test_lengths_that_are_parsed(length: bytes) -> None:
    """Unusual lengths are left to the parser."""
    assert repeat().body_of(HEAD.replace(b": 2", b": " + length) + b"ab") == -1


def test_every_cut() -> None:
    """An incomplete message, or one followed by another, is left to the parser."""
    data = HEAD + b"ab"
    assert [repeat().body_of(data[:end]) for end in range(len(data))] == [-1] * len(data)
    assert repeat().body_of(data + data) == -1


@pytest.mark.parametrize(
    "data",
    [
        b"POST /a HTTP/1.1\r\nhost: x\r\n\r\nab",
        b"POST /a HTTP/1.1\r\ncontent-length:  2\r\n\r\nab",
        b"POST /a HTTP/1.1\r\ncontent-length: 02\r\n\r\nab",
        b"POST /a HTTP/1.1\r\nx: %b\r\ncontent-length: 2\r\n\r\nab" % (b"y" * 5000),
    ],
)
def test_heads_that_are_not_kept(data: bytes) -> None:
    """Heads without a length, with an unusual one, or too long are always parsed."""
    assert split_head(data, 2) is None


async def answer(reader: asyncio.StreamReader, body: bytes) -> bytes:
    async with asyncio.timeout(PATIENCE):
        return await reader.readuntil(b"/a|" + body)


async def test_repeated_requests(served: Served) -> None:
    """A client that repeats its head is answered without the parser."""
    reader, writer = await served.connect()
    writer.write(post(b"one", b"cookie: a=b\r\n"))
    await answer(reader, b"one")
    (connection,) = served.server.connections
    connection._parser = None  # type: ignore[attr-defined]
    for body in (b"two", b"", b"eleven" * 1000):
        writer.write(post(body, b"cookie: a=b\r\n"))
        assert (await answer(reader, body)).startswith(b"HTTP/1.1 200 OK\r\n")
    first, *others = ((each.method, each.target, each.headers) for each in served.echo.opened)
    for (method, target, headers), length in zip(others, (b"3", b"0", b"6000"), strict=True):
        assert (method, target) == first[:2]
        assert headers == first[2] | {b"content-length": length}


@pytest.mark.parametrize(
    "then",
    [
        post(b"two", b"authorization: Bearer other\r\n"),
        post(b"two") + post(b"two"),
        post(b"two", b"expect: 100-continue\r\n"),
        post(b"two", b"connection: Upgrade\r\nupgrade: h2c\r\n"),
        b"POST /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n",
        b"\r\n" + post(b"two"),
        post(b"two") + b"\r\n",
    ],
)
async def test_others_between(served: Served, then: bytes) -> None:
    """Requests with other heads, and those after them, are parsed as usual."""
    reader, writer = await served.connect()
    for data, body in ((post(b"one"), b"one"), (then, b"two"), (post(b"three"), b"three")) * 2:
        writer.write(data)
        for _ in range(data.count(b"POST")):
            await answer(reader, body)
    assert [b"authorization" in each.headers for each in served.echo.opened].count(True) == (
        2 * then.count(b"authorization")
    )


async def test_repeated_in_pieces(served: Served) -> None:
    """A repeated head may arrive byte by byte, after one that arrived at once."""
    reader, writer = await served.connect()
    writer.write(post(b"one"))
    await answer(reader, b"one")
    for byte in post(b"two"):
        writer.write(bytes([byte]))
        await asyncio.sleep(0)
    await answer(reader, b"two")
    writer.write(post(b"three"))
    await answer(reader, b"three")


async def test_an_empty_line_after_each_body(served: Served) -> None:
    """Some old clients send CRLF after a body; it never shifts the next one."""
    reader, writer = await served.connect()
    for body in (b"one", b"ons", b"ond"):
        writer.write(post(body) + b"\r\n")
        await answer(reader, body)


async def test_repeated_while_busy(served: Served) -> None:
    """A repeated request waits for the response to the first."""
    served.echo.hold = True
    reader, writer = await served.connect()
    writer.write(post(b"one"))
    await until(lambda: served.echo.bodies)
    writer.write(post(b"two"))
    (connection,) = served.server.connections
    await until(lambda: connection._pending)  # type: ignore[attr-defined]
    served.echo.hold = False
    served.echo.opened[0].reply(200, b"", b"/a|one")
    await answer(reader, b"one")
    await answer(reader, b"two")


async def test_repeated_when_parting(served: Served) -> None:
    """During shutdown a repeated request is answered, then the connection closed."""
    reader, writer = await served.connect()
    writer.write(post(b"one"))
    await answer(reader, b"one")
    served.server.part()
    writer.write(post(b"two"))
    async with asyncio.timeout(PATIENCE):
        assert b"connection: close\r\n" in await reader.read()


async def test_crash_in_a_repeated_request(served: Served) -> None:
    """A crash in a repeated request is a 500, as in any other."""
    reader, writer = await served.connect()
    writer.write(post(b"one"))
    await answer(reader, b"one")
    served.echo.crash = True
    writer.write(post(b"two"))
    async with asyncio.timeout(PATIENCE):
        assert (await reader.read()).startswith(b"HTTP/1.1 500")
