"""Engine responses in all framings and chunkings."""

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
    """A fake transport that records writes."""

    def __init__(self) -> None:
        super().__init__()
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None: ...

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


class Engine:
    """A connection to an engine, and the results of its requests."""

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
    """Records the chunks separately."""

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
    """A response split anywhere arrives whole, and the connection is reused."""
    engine = Engine()
    for cut in range(1, len(reply)):
        engine.post()
        engine.say(reply[:cut], reply[cut:])
    assert engine.answers == [(200, b"hello")] * (len(reply) - 1)
    assert not engine.line.aborted


async def test_chunks_of_one_read_go_on_together() -> None:
    """All chunks of one read are delivered together."""
    engine, pieces = Engine(), Pieces()
    engine.upstream.post(CALL, pieces)
    head, body = CHUNKED[: -len(b"5\r\nhello\r\n0\r\n\r\n")], b"2\r\nhe\r\n3\r\nllo\r\n"
    engine.say(head + body, b"1\r\n,\r\n" + body, b"1\r\n.\r\n0\r\n\r\n")
    assert pieces.got == [b"hello", b",hello", b"."]
    assert pieces.ended


async def test_a_connection_that_will_close() -> None:
    """A connection that the engine will close is not reused."""
    engine = Engine()
    engine.post()
    engine.say(CLOSING)
    assert engine.answers == [(200, b"hello")]
    assert engine.line.aborted


async def test_a_reply_that_breaks_off() -> None:
    """A truncated response is a failure."""
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
    """An engine that sends only heads or trailers is cut off, and nothing is buffered."""
    engine = Engine()
    engine.post()
    engine.say(start, *[more] * 60)
    assert engine.answers == []
    engine.say(*[more] * 10)
    assert engine.answers == [(0, b"it sends heads or trailers without end")]
    assert engine.line.aborted


async def test_small_chunks_of_a_long_body() -> None:
    """The framing of many small chunks does not count as head bytes."""
    engine = Engine()
    engine.post()
    head, end = CHUNKED[: -len(b"5\r\nhello\r\n0\r\n\r\n")], b"0\r\n\r\n"
    engine.say(head, *[b"1\r\nx\r\n"] * 20_000, end)
    assert engine.answers == [(200, b"x" * 20_000)]


def test_as_much_as_is_wanted() -> None:
    """A response over the collector's limit is reported once, without a body."""
    told: list[tuple[int, bytes]] = []
    collect = Collect(lambda status, body: told.append((status, body)), most=4)
    for piece in (b"four", b"f", b"ive"):
        collect.on_data(piece)
    collect.on_end()
    assert told == [(0, b"the reply is too large")]


LONGER = b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\nhello, world"


async def test_repeated_heads() -> None:
    """A response that repeats the last head except its length is handled without the parser."""
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
    """Other heads and split responses are parsed as usual between repetitions."""
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
    """Extra bytes after a response with a repeated head close the connection."""
    engine = Engine()
    engine.post()
    engine.say(SIZED)
    engine.post()
    engine.say(SIZED + b"!")
    assert engine.answers == [(200, b"hello")] * 2
    assert engine.line.aborted
    assert engine.upstream.idle == 0
