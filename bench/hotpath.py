"""CPU time of one chat request in the gateway's code, without kernel and network.

A real gateway with a real journal; only the sockets are replaced by objects that record writes. Run
it before and after changes of the hot path: it is less noisy than a bench over TCP.

    python -m bench hotpath [--stream] [--dialect vllm] [--seconds 2] [--profile]
"""

import argparse
import asyncio
import cProfile
import pstats
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import uvloop

from oxlo import catalogue, plans
from oxlo.gateway.gateway import Gateway
from oxlo.gateway.http import protocols
from oxlo.gateway.outgoing import Connection as Engine
from oxlo.plans import apikey
from oxlo.plans.caller import Caller
from oxlo.settings import Settings
from oxlo.testing.replicas import replica
from oxlo.testing.script import Script
from oxlo.testing.shapes import SHAPES, OpenAIShape
from oxlo.testing.shapes import Call as EngineCall

MODEL = "smollm2-135m"


class Wire(asyncio.Transport):
    """A transport that records writes."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def writelines(self, pieces: object) -> None:
        self.written.extend(pieces)  # type: ignore[arg-type]

    def get_extra_info(self, name: str, default: object = None) -> object:
        return default

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def abort(self) -> None: ...
    def close(self) -> None: ...


class Bench:
    """A gateway between a simulated client and a simulated engine."""

    def __init__(self, home: Path, dialect: str, *, stream: bool) -> None:
        settings = Settings(home=home)
        settings.prepare()
        loop = asyncio.get_running_loop()
        self.gateway = Gateway(settings, catalogue.load(), plans.load(), loop)
        self.gateway.recover()
        key = self._sign_in(settings)
        self._connect_engine(dialect)
        self.client = protocols(self.gateway.server)()
        self._client_wire = Wire()
        self.client.connection_made(self._client_wire)
        self._request = _request(key, stream=stream)
        shape = SHAPES[dialect]
        self._reply = _stream(shape) if stream else [_whole(shape)]

    def _sign_in(self, settings: Settings) -> str:
        key = apikey.mint(settings.signing_secret())
        caller = Caller(account="acct_1", account_name="bench", key="key_1", plan="enterprise")
        self.gateway.keys.remember(apikey.digest(key), caller)
        return key

    def _connect_engine(self, dialect: str) -> None:
        double = replica(MODEL, dialect=dialect, slots=64, context_length=131_072)
        self.gateway.backends.apply([double])
        group = self.gateway.backends.group(MODEL)
        assert group is not None
        self.upstream = group.backends[0].upstream
        self.engine = Engine(self.upstream)
        self.engine.connection_made(Wire())
        self.upstream.put_back(self.engine)

    def call(self) -> None:
        """Process one request, from the client's bytes to the response's."""
        self.client.data_received(self._request)
        self.gateway.journal.flush()
        for data in self._reply:
            self.engine.data_received(data)
        self.gateway.journal.flush()

    def check(self) -> None:
        """Raise if a request fails, because errors would be fast."""
        self._client_wire.written.clear()
        self.call()
        reply = b"".join(self._client_wire.written)
        if not reply.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(reply.decode())


def _request(key: str, *, stream: bool) -> bytes:
    messages = [{"role": "user", "content": "x" * 850}]
    body = {"model": MODEL, "messages": messages, "max_tokens": 16, "temperature": 0.2}
    raw = msgspec.json.encode(body | ({"stream": True} if stream else {}))
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:8000\r\n"
        f"authorization: Bearer {key}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(raw)}\r\n\r\n"
    )
    return head.encode() + raw


def _whole(shape: OpenAIShape) -> bytes:
    body = msgspec.json.encode(shape.whole(_CALL, Script(), Script().text))
    head = "HTTP/1.1 200 OK\r\nserver: x\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def _stream(shape: OpenAIShape) -> list[bytes]:
    chunks = [shape.chunk(_CALL, 0, shape.first_delta, None)]
    chunks += [shape.chunk(_CALL, 0, {"content": f" word{n}"}, None) for n in range(48)]
    chunks += [shape.chunk(_CALL, 0, shape.last_delta, "stop")]
    usage = shape.usage_chunk(_CALL, Script(), 48)
    events = [b"data: %b\n\n" % msgspec.json.encode(c) for c in [*chunks, usage] if c]
    events.append(b"data: [DONE]\n\n")
    head = (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    framed = [b"%x\r\n%b\r\n" % (len(event), event) for event in events]
    return [head + framed[0], *framed[1:], b"0\r\n\r\n"]


_CALL = EngineCall(
    id="chatcmpl-1", created=1, model=MODEL, chat=True, n=1, include_usage=True,
    continuous_usage=False,
)  # fmt: skip


def _measure(call: Callable[[], None], seconds: float) -> tuple[float, int]:
    """Return CPU microseconds per request, the best of five rounds, and requests per round."""
    best, count = float("inf"), 0
    for _ in range(5):
        count, started, ends = 0, time.process_time(), time.monotonic() + seconds / 5
        while time.monotonic() < ends:
            for _ in range(200):
                call()
            count += 200
        best = min(best, (time.process_time() - started) / count * 1e6)
    return best, count


async def _run(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as home:
        bench = Bench(Path(home), options.dialect, stream=options.stream)
        bench.check()
        for _ in range(500):
            bench.call()
        if options.profile:
            _profile(bench.call)
            return
        cost, count = _measure(bench.call, options.seconds)
        kind = "a stream of 50 chunks" if options.stream else "a chat"
        print(f"{options.dialect}: {cost:.1f} us of CPU for {kind} ({count:,} calls a round)")


def _profile(call: Callable[[], None]) -> None:
    profile = cProfile.Profile()
    profile.enable()
    for _ in range(10_000):
        call()
    profile.disable()
    pstats.Stats(profile).sort_stats("tottime").print_stats(45)


def main(arguments: list[str]) -> int:
    """Parse the options and run the bench."""
    parser = argparse.ArgumentParser("python -m bench hotpath")
    parser.add_argument("--stream", action="store_true", help="a stream of 50 chunks")
    parser.add_argument("--dialect", default="openai", choices=sorted(SHAPES))
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--profile", action="store_true", help="show where the time goes")
    uvloop.run(_run(parser.parse_args(arguments)))
    return 0
