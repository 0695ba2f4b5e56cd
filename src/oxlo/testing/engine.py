"""The engine double: an OpenAI-compatible server that follows scripts.

In a test: `async with EngineDouble(dialect="vllm") as engine: engine.next.append(Script(...))`.
As a process: `python -m oxlo.testing.engine --port 0 --dialect llamacpp`, controlled by
`POST /_script` (a Script for all further requests) and `POST /_gate/NAME` (opens a gate).
"""

import argparse
import asyncio
import contextlib
import sys
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from typing import Any

import msgspec

from oxlo.testing.canned import Canned
from oxlo.testing.http import LocalServer, Reply, Request
from oxlo.testing.script import Script
from oxlo.testing.scripted import ScriptedReply, paced
from oxlo.testing.shapes import SHAPES, Call, Load, count_tokens

__all__ = ["CALLS", "Canned", "EngineDouble", "Script"]

CALLS = ("/v1/chat/completions", "/v1/completions")


class EngineDouble(LocalServer):
    """A fake engine on 127.0.0.1; `requests` holds all received requests."""

    def __init__(
        self,
        dialect: str = "openai",
        *,
        model: str = "double",
        slots: int = 4,
        api_key: str = "",
        port: int = 0,
    ) -> None:
        """`dialect` is openai, vllm or llamacpp."""
        self.shape = SHAPES[dialect]
        self.model = model
        self.slots = slots
        self.api_key = api_key
        self.port = port
        self.context_length = 8192
        #: The script of a request: the first of `next`, else that of its model, else `default`.
        self.default = Script()
        self.next: deque[Script] = deque()
        self.by_model: dict[str, Script] = {}
        #: Fixed responses, by path.
        self.canned: dict[str, Canned] = {}
        self.gates: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        #: Status of /health and /v1/models; with 0 they never answer.
        self.health = 200

        self.requests: list[Request] = []
        self.counts: Counter[str] = Counter()
        self.outstanding = 0
        #: The highest value of `outstanding` so far.
        self.peak = 0
        #: Content pieces sent; shown in the metrics of llama.cpp and vLLM.
        self.progress = 0
        self._changed = asyncio.Event()

    @property
    def calls(self) -> list[Request]:
        """The inference requests, in order of arrival."""
        paths = (*CALLS, *self.canned)
        return [request for request in self.requests if request.path in paths]

    @property
    def cancelled(self) -> int:
        """The number of requests whose client disconnected."""
        return sum(request.cancelled for request in self.calls)

    @property
    def answered(self) -> int:
        """The number of requests that were answered completely."""
        return sum(request.answered for request in self.calls)

    @property
    def accepted(self) -> int:
        """The number of connections so far."""
        return len(self._connections)

    async def until(self, condition: Callable[["EngineDouble"], bool]) -> None:
        """Wait for a condition on the double. Raises TimeoutError after 60 s."""
        async with asyncio.timeout(60):
            while not condition(self):
                self._changed.clear()
                await self._changed.wait()

    def _notify(self) -> None:
        self._changed.set()

    async def answer(self, request: Request, reply: Reply) -> None:
        """Answer as the dialect's engine does, or as scripted."""
        self.requests.append(request)
        self.counts[f"{request.method} {request.path}"] += 1
        self._notify()
        if self.api_key and request.headers.get("authorization") != f"Bearer {self.api_key}":
            await self._json(reply, self.shape.error(401, "Invalid API Key"), 401)
        elif request.path in CALLS or request.path in self.canned:
            await self._call(request, reply)
        else:
            await self._side(request, reply)

    async def _call(self, request: Request, reply: Reply) -> None:
        self.outstanding += 1
        self.peak = max(self.peak, self.outstanding)
        self._notify()
        try:
            await self._answer(request, reply)
            request.answered = reply.finished
        except asyncio.CancelledError:
            request.cancelled = True
            raise
        finally:
            self.outstanding -= 1
            self._notify()

    async def _answer(self, request: Request, reply: Reply) -> None:
        if request.path in self.canned:
            await self.canned[request.path].perform(reply, self.gates)
            return
        try:
            body = request.json()
        except msgspec.DecodeError as error:
            await self._json(reply, self.shape.error(400, str(error)), 400)
            return
        script = self._script(str(body.get("model", "")))
        if script.reads and script.writes:
            script = paced(script, body)
            await asyncio.sleep(script.prompt_tokens / script.reads)
        scripted = ScriptedReply(self.shape, script, _call(request, body), body)
        scripted.on_piece = self._on_piece
        if script.gate:
            await self.gates[script.gate].wait()
        await scripted.perform(reply, self.gates, bool(body.get("stream")))

    def _on_piece(self) -> None:
        self.progress += 1
        self._notify()

    def _script(self, model: str) -> Script:
        if self.next:
            return self.next.popleft()
        return self.by_model.get(model, self.default)

    async def _side(self, request: Request, reply: Reply) -> None:
        path = request.path.partition("?")[0]
        if path in ("/health", "/v1/models") and self.health != 200:
            await self._unhealthy(reply)
        elif path.startswith("/_"):
            self._control(path, request)
            await self._json(reply, {})
        elif path == "/metrics" and (figures := self.shape.metrics(self._load())):
            await reply.whole(200, figures.encode(), "text/plain; version=0.0.4")
        else:
            body = self.shape.side(path, self._load(), count_tokens(request.body.decode()))
            known = body is not None
            error = self.shape.error(404, "Not Found")
            await self._json(reply, body if known else error, 200 if known else 404)

    def _load(self) -> Load:
        return Load(
            model=self.model,
            slots=self.slots,
            context_length=self.context_length,
            outstanding=self.outstanding,
            progress=self.progress,
        )

    async def _unhealthy(self, reply: Reply) -> None:
        if self.health == 0:
            await asyncio.get_running_loop().create_future()
        await self._json(reply, self.shape.error(self.health, "not well"), self.health)

    def _control(self, path: str, request: Request) -> None:
        if path == "/_script":
            self.default = msgspec.json.decode(request.body, type=Script)
        elif path.startswith("/_gate/"):
            self.gates[path.removeprefix("/_gate/")].set()

    async def _json(self, reply: Reply, body: Any, status: int = 200) -> None:
        await reply.whole(status, msgspec.json.encode(body))


def _call(request: Request, body: dict[str, object]) -> Call:
    options = body.get("stream_options")
    wanted = options if isinstance(options, dict) else {}
    n = body.get("n")
    chat = request.path == CALLS[0]
    return Call(
        id=f"{'chatcmpl' if chat else 'cmpl'}-double{id(request):x}",
        created=int(time.time()),
        model=str(body.get("model", "")),
        chat=chat,
        n=n if isinstance(n, int) else 1,
        include_usage=bool(wanted.get("include_usage")),
        continuous_usage=bool(wanted.get("continuous_usage_stats")),
    )


async def _run(options: argparse.Namespace) -> None:
    double = EngineDouble(
        options.dialect, model=options.model, slots=options.slots, port=options.port
    )
    async with double:
        line = {"event": "listening", "address": double.address}
        sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
        sys.stdout.flush()
        if options.with_parent:
            await asyncio.to_thread(sys.stdin.buffer.read)
            return
        await asyncio.get_running_loop().create_future()


def main() -> None:
    """Run the double as a process; prints its address as a line of JSON."""
    parser = argparse.ArgumentParser(prog="python -m oxlo.testing.engine", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--dialect", choices=tuple(SHAPES), default="openai")
    parser.add_argument("--model", default="double")
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--with-parent", action="store_true", help="end when stdin ends")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
