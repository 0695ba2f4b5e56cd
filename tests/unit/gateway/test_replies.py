"""Replies of engines, however they are framed and cut."""

import asyncio

import pytest

from oxlo.engines.dialect import EngineCall
from oxlo.gateway.collect import Collect
from oxlo.gateway.outgoing import Connection
from oxlo.gateway.upstream import Upstream

SIZED = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
CLOSING = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
INFORMED = b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + SIZED
CALL = EngineCall("/v1/x", b"{}")


class Line(asyncio.Transport):
    """Takes what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None: ...

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


class Engine:
    """One connection to an engine, and what came of the calls on it."""

    def __init__(self, upstream: Upstream | None = None) -> None:
        self.upstream = upstream or Upstream("http://127.0.0.1:1", asyncio.get_running_loop())
        self.line = Line()
        self.connection = Connection(self.upstream)
        self.connection.connection_made(self.line)
        self.upstream.put_back(self.connection)
        self.answers: list[tuple[int, bytes]] = []

    def post(self) -> None:
        self.upstream.post(CALL, Collect(lambda status, body: self.answers.append((status, body))))

    def say(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.connection.data_received(piece)


class Pieces:
    """Keeps the pieces apart."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.ended = False

    def on_head(self, status: int, headers: dict[bytes, bytes]) -> None: ...

    def on_data(self, data: bytes) -> None:
        self.got.append(data)

    def on_end(self) -> None:
        self.ended = True

    def on_fail(self, reason: str, *, sent: bool) -> None: ...


@pytest.mark.parametrize("reply", [SIZED, CHUNKED, INFORMED])
async def test_a_reply_cut_anywhere(reply: bytes) -> None:
    """Each arrives whole, and the connection serves the next."""
    engine = Engine()
    for cut in range(1, len(reply)):
        engine.post()
        engine.say(reply[:cut], reply[cut:])
    assert engine.answers == [(200, b"hello")] * (len(reply) - 1)
    assert not engine.line.aborted


async def test_chunks_of_one_read_go_on_together() -> None:
    """Whoever gets them has one piece to write, however many there were."""
    engine, pieces = Engine(), Pieces()
    engine.upstream.post(CALL, pieces)
    head, body = CHUNKED[: -len(b"5\r\nhello\r\n0\r\n\r\n")], b"2\r\nhe\r\n3\r\nllo\r\n"
    engine.say(head + body, b"1\r\n,\r\n" + body, b"1\r\n.\r\n0\r\n\r\n")
    assert pieces.got == [b"hello", b",hello", b"."]
    assert pieces.ended


async def test_a_connection_that_will_close() -> None:
    """It is not used again."""
    engine = Engine()
    engine.post()
    engine.say(CLOSING)
    assert engine.answers == [(200, b"hello")]
    assert engine.line.aborted


async def test_a_reply_that_breaks_off() -> None:
    """Half an answer is none."""
    engine = Engine()
    engine.post()
    engine.say(SIZED[:-2])
    engine.connection.connection_lost(None)
    assert engine.answers == [(0, b"the connection was closed")]


@pytest.mark.parametrize(
    ("start", "more"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"x-header: %b\r\n" % (b"y" * 1000)),
        (b"HTTP/1.1 200 OK\r\nx-header: ", b"y" * 1000),
        (b"", b"HTTP/1.1 103 Early Hints\r\nlink: %b\r\n\r\n" % (b"y" * 1000)),
        (CHUNKED[:-2], b"x-trailer: %b\r\n" % (b"y" * 1000)),
        (CHUNKED[: -len(b"\r\n0\r\n\r\n")] + b"\r\n1;", b"y" * 1000),
    ],
    ids=["headers", "one header", "informational", "trailers", "a chunk's size"],
)
async def test_heads_without_end(start: bytes, more: bytes) -> None:
    """An engine that sends anything but a body for too long is given up; nothing of it is kept."""
    engine = Engine()
    engine.post()
    engine.say(start, *[more] * 60)
    assert engine.answers == []
    engine.say(*[more] * 10)
    assert engine.answers == [(0, b"it sends heads or trailers without end")]
    assert engine.line.aborted


async def test_small_chunks_of_a_long_body() -> None:
    """They are no heads, however much of what comes is framing."""
    engine = Engine()
    engine.post()
    head, end = CHUNKED[: -len(b"5\r\nhello\r\n0\r\n\r\n")], b"0\r\n\r\n"
    engine.say(head, *[b"1\r\nx\r\n"] * 20_000, end)
    assert engine.answers == [(200, b"x" * 20_000)]


def test_as_much_as_is_wanted() -> None:
    """Who collects a reply is told once that it is too large, and gets nothing of it."""
    told: list[tuple[int, bytes]] = []
    collect = Collect(lambda status, body: told.append((status, body)), most=4)
    for piece in (b"four", b"f", b"ive"):
        collect.on_data(piece)
    collect.on_end()
    assert told == [(0, b"the reply is too large")]


LONGER = b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\nhello, world"


async def test_repeated_heads() -> None:
    """A reply whose head is the last one's but for its length is taken without a parser."""
    engine = Engine()
    engine.post()
    engine.say(SIZED)
    engine.connection._parser = None
    engine.post()
    engine.say(LONGER)
    assert engine.answers == [(200, b"hello"), (200, b"hello, world")]
    assert engine.upstream.idle == 1


@pytest.mark.parametrize("between", [CLOSING, CHUNKED, INFORMED, LONGER, b"no HTTP"])
@pytest.mark.parametrize("cut", [1, 20, 45])
async def test_other_heads_between(between: bytes, cut: int) -> None:
    """Replies with other heads, or in pieces, are read as ever beside those that repeat theirs."""
    upstream = Upstream("http://127.0.0.1:1", asyncio.get_running_loop())
    told = []
    for reply in (SIZED, between, SIZED):
        for pieces in ((reply,), (reply[:cut], reply[cut:])):
            engine = Engine(upstream)
            engine.post()
            engine.say(*pieces)
            told.append(engine.answers[0])
    assert told[:2] == told[4:] == [(200, b"hello")] * 2
    assert told[2] == told[3]


async def test_more_behind_a_repeated_head() -> None:
    """Bytes behind a reply whose head is known close the connection, as behind any other."""
    engine = Engine()
    engine.post()
    engine.say(SIZED)
    engine.post()
    engine.say(SIZED + b"!")
    assert engine.answers == [(200, b"hello")] * 2
    assert engine.line.aborted
    assert engine.upstream.idle == 0
