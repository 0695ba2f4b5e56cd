"""Sending a script's response over a connection."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from oxlo.testing.http import Reply
from oxlo.testing.script import Script, pieces
from oxlo.testing.shapes import Call, Json, OpenAIShape, count_tokens, finish


class ScriptedReply:
    """The response to one request, with its scripted failures."""

    def __init__(self, shape: OpenAIShape, script: Script, call: Call, body: Json) -> None:
        self._shape = shape
        self._script = script
        self._call = call
        self._text = _last_text(body) if script.echo else script.text
        self._tokens = 0
        #: Called after each content piece.
        self.on_piece: Callable[[], None] = lambda: None

    async def perform(self, reply: Reply, gates: Mapping[str, asyncio.Event], stream: bool) -> None:
        """Send the response; if scripted, returns early, which closes the connection."""
        script = self._script
        if script.silent:
            await _forever()
        if script.garbage:
            await reply.raw(script.garbage.encode())
        elif script.status != 200:
            await self._refuse(reply)
        elif stream:
            await self._stream(reply, gates)
        else:
            await self._whole(reply)

    async def _refuse(self, reply: Reply) -> None:
        error = self._shape.error(self._script.status, "scripted error")
        body = self._script.body.encode() or msgspec.json.encode(error)
        after = self._script.retry_after
        await reply.whole(self._script.status, body, **({"Retry-After": after} if after else {}))

    async def _whole(self, reply: Reply) -> None:
        script = self._script
        body = script.body.encode() or msgspec.json.encode(
            self._shape.whole(self._call, script, self._text)
        )
        if script.cut or script.stall:
            await reply.raw(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
            if script.stall:
                await _forever()
            return
        await asyncio.sleep(script.delay)
        await reply.whole(200, body)
        self.on_piece()

    async def _stream(self, reply: Reply, gates: Mapping[str, asyncio.Event]) -> None:
        script = self._script
        await reply.start()
        for count, event in enumerate(self._contents()):
            if await self._interrupted(count, reply, gates):
                return
            await asyncio.sleep(script.delay)
            if count == 0:
                await self._each(reply, self._shape.first_delta, None)
            await self._each(reply, event, None)
            self.on_piece()
        if await self._interrupted(len(self._contents()), reply, gates):
            return
        await self._finish(reply)

    async def _interrupted(
        self, count: int, reply: Reply, gates: Mapping[str, asyncio.Event]
    ) -> bool:
        """Perform the script's failure after `count` pieces; returns whether the stream ends."""
        script = self._script
        if count != script.after:
            return False
        if script.middle_gate:
            await gates[script.middle_gate].wait()
        if script.stall:
            await _forever()
        if script.error:
            await self._send(reply, self._shape.error(500, script.error))
            await self._write(reply, self._shape.after_error)
            await reply.end()
        return bool(script.cut or script.error)

    async def _finish(self, reply: Reply) -> None:
        tokens = count_tokens(self._text) * self._call.n
        await self._each(reply, self._shape.last_delta, finish(self._script))
        usage = self._shape.usage_chunk(self._call, self._script, tokens)
        if usage:
            await self._send(reply, usage)
        await self._write(reply, b"data: [DONE]\n\n")
        await reply.end()

    def _contents(self) -> list[Json]:
        """The deltas between the role and the finish reason."""
        script = self._script
        thoughts = [self._shape.reasoning(script.reasoning)] if script.reasoning else []
        if script.tool_calls and self._call.chat:
            return thoughts + self._shape.tool_deltas(script)
        return thoughts + [{"content": part} for part in pieces(self._text, script.chunks)]

    async def _each(self, reply: Reply, delta: Json, end: str | None) -> None:
        """Send an event per choice; the legacy endpoint has no role."""
        if delta is self._shape.first_delta and not self._call.chat:
            return
        for index in range(self._call.n):
            event = self._shape.chunk(self._call, index, delta, end)
            self._tokens += count_tokens(delta.get("content") or "")
            usage = self._shape.running_usage(self._call, self._script, self._tokens)
            await self._send(reply, event | usage)

    async def _send(self, reply: Reply, event: Any) -> None:
        await self._write(reply, b"data: %b\n\n" % msgspec.json.encode(event))

    async def _write(self, reply: Reply, data: bytes) -> None:
        size = self._script.split or max(1, len(data))
        for start in range(0, len(data), size):
            await reply.chunk(data[start : start + size])


def paced(script: Script, body: Json) -> Script:
    """The script for a request to an engine with limited speed."""
    prompt = body.get("messages") or body.get("prompt") or ""
    tokens = int(body.get("max_tokens") or body.get("max_completion_tokens") or 1)
    stream = bool(body.get("stream"))
    return msgspec.structs.replace(
        script,
        prompt_tokens=count_tokens(msgspec.json.encode(prompt).decode()),
        text=" ".join(["word"] * tokens),
        chunks=tokens,
        delay=(1 if stream else tokens) / script.writes,
    )


async def _forever() -> None:
    await asyncio.get_running_loop().create_future()


def _last_text(body: Json) -> str:
    if "prompt" in body:
        return str(body["prompt"])
    messages = body.get("messages") or [{}]
    return str(messages[-1].get("content", ""))
