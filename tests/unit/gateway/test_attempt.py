"""One attempt at a replica, over a connection without a socket."""

import asyncio

import msgspec

from oxlo import catalogue
from oxlo.engines.dialect import Answer, Decided
from oxlo.errors import ApiError
from oxlo.fleet.registry import Replica, ReplicaState
from oxlo.gateway.attempt import Attempt
from oxlo.gateway.backends import Backend
from oxlo.gateway.endpoints import CHAT
from oxlo.gateway.outgoing import Connection
from oxlo.testing.clock import FakeClock
from oxlo.wire import chat

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
EVENTS = (
    b'data: {"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\n'
    b"data: [DONE]\n\n"
)


class Line(asyncio.Transport):
    """A fake transport."""

    def __init__(self) -> None:
        super().__init__()
        self.reading = True

    def write(self, data: bytes | bytearray | memoryview) -> None: ...

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class SlowClient:
    """An owner whose client's buffer is full from the first event on."""

    def __init__(self) -> None:
        self.attempt: Attempt
        self.clock = FakeClock(0.0)
        self.ended = False

    def events(self, data: bytes) -> None:
        self.attempt.pause()

    def stream_done(self, tail: bytes) -> None:
        self.ended = True

    def answered(self, answer: Answer) -> None: ...

    def attempt_failed(self, error: ApiError) -> None: ...


def begin(client: SlowClient) -> tuple[Backend, Line, Connection]:
    """An attempt that has been sent."""
    replica = Replica(
        id="m-1", model="m", kind="upstream", dialect="openai", address="http://127.0.0.1:1",
        engine_model="m", slots=1, context_length=100, state=ReplicaState.READY,
    )  # fmt: skip
    backend = Backend(replica, asyncio.get_running_loop())
    line, connection = Line(), Connection(backend.upstream)
    connection.connection_made(line)
    backend.upstream.put_back(connection)
    body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    request, _ = chat.decode(msgspec.json.encode(body))
    decided = Decided(catalogue.load().resolve("smollm2-135m"), "m", 10, 0, 0)
    client.attempt = Attempt(client, backend, decided, CHAT, request, client.clock, 0.0)
    client.attempt.build()
    client.attempt.send()
    return backend, line, connection


async def test_a_slow_client_keeps_no_engine_connection() -> None:
    """If the client's buffer is full at the end of a stream, the connection is still reused."""
    client = SlowClient()
    backend, line, connection = begin(client)
    connection.data_received(HEAD + b"%x\r\n%b\r\n" % (len(EVENTS), EVENTS))
    assert client.ended
    assert line.reading
    connection.data_received(b"0\r\n\r\n")
    assert backend.upstream.idle == 1


async def test_a_slow_client_is_not_a_stalled_engine() -> None:
    """While the engine is not read, its silence does not count."""
    client = SlowClient()
    _, _, connection = begin(client)
    first, _, _ = EVENTS.partition(b"data: [DONE]")
    connection.data_received(HEAD + b"%x\r\n%b\r\n" % (len(first), first))
    assert not client.attempt.is_stalled(100.0, timeout=30.0)
    client.clock.now = 100.0
    client.attempt.resume()
    assert not client.attempt.is_stalled(130.0, timeout=30.0)
    assert client.attempt.is_stalled(131.0, timeout=30.0)
