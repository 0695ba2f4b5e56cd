"""One engine's process: started, listened to, logged and stopped."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import msgspec

from oxlo.engines.base import Launch

_LOG_BYTES = 1_000_000
#: Lines kept to explain a failure.
_TAIL = 50
_KILL_AFTER = 5.0


class Event(msgspec.Struct):
    """What an engine says on stdout, one JSON line each."""

    event: str
    address: str = ""
    reason: str = ""


class EngineProcess:
    """A child that dies with us: it watches its stdin, whose other end only we hold."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = RotatingFileHandler(log, maxBytes=_LOG_BYTES, backupCount=1, delay=True)
        self._listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._pumps = [asyncio.create_task(pump) for pump in (self._stdout(), self._stderr())]
        #: The newest lines of its log.
        self.tail: deque[str] = deque(maxlen=_TAIL)
        #: What it said itself about its failure.
        self.failure = ""

    @classmethod
    async def start(cls, launch: Launch, log: Path) -> "EngineProcess":
        """Spawn it in a session of its own: a Ctrl-C in our terminal is for us to handle."""
        process = await asyncio.create_subprocess_exec(
            *launch.argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        started = cls(process, log)
        assert process.stdin
        process.stdin.write(launch.config + b"\n")
        return started

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    async def listening(self) -> str | None:
        """The address that it announced; None when it ended before."""
        exited = asyncio.ensure_future(self.exited())
        ways: set[asyncio.Future[Any]] = {exited, self._listening}
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        exited.cancel()
        return self._listening.result() if self._listening.done() else None

    async def exited(self) -> int:
        """Its exit status, once it has ended and everything that it said was read."""
        await asyncio.wait(self._pumps)
        return await self._process.wait()

    async def stop(self) -> None:
        """SIGTERM, then SIGKILL; returns when it is gone and its log is closed."""
        if self._process.returncode is None:
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), _KILL_AFTER)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await asyncio.wait(self._pumps)
        self._listening.cancel()
        self._log.close()

    async def _stdout(self) -> None:
        assert self._process.stdout
        async for line in lines(self._process.stdout):
            try:
                self._heard(msgspec.json.decode(line, type=Event))
            except msgspec.DecodeError:
                self._write(line)

    def _heard(self, event: Event) -> None:
        if event.event == "listening" and not self._listening.done():
            self._listening.set_result(event.address)
        elif event.event == "failed":
            self.failure = event.reason

    async def _stderr(self) -> None:
        assert self._process.stderr
        async for line in lines(self._process.stderr):
            self._write(line)

    def _write(self, line: str) -> None:
        self.tail.append(line)
        self._log.emit(logging.makeLogRecord({"msg": line}))


async def lines(stream: asyncio.StreamReader) -> AsyncIterator[str]:
    """Lines of any length: StreamReader's own would fail on one above 64 KB."""
    held = b""
    while data := await stream.read(65536):
        *lines, held = (held + data).split(b"\n")
        for line in lines:
            yield line.decode(errors="replace")
        if len(held) > 65536:
            yield held.decode(errors="replace")
            held = b""
    if held:
        yield held.decode(errors="replace")
