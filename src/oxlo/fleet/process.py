"""One engine's process: starting, reading its events and log, stopping."""

import asyncio
import contextlib
import logging
import os
import signal
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec

from oxlo.engines.base import Launch
from oxlo.settings import environment
from oxlo.telemetry.logfile import LogFile

_LOG_BYTES = 1_000_000
#: Log lines kept to explain a failure: the cause may precede long tracebacks.
_TAIL = 200
#: Seconds in which what an ended engine has written is read.
_LAST_WORDS = 1.0
#: Seconds between two looks whether it has ended.
_LOOK_SECONDS = 0.02


class Event(msgspec.Struct):
    """An event that an engine writes to stdout as one line of JSON."""

    event: str
    address: str = ""
    reason: str = ""


class EngineProcess:
    """A child process that exits with us, because it watches its stdin.

    It leads a process group that is killed after it exits, so that its own children die, too.
    """

    def __init__(
        self, process: asyncio.subprocess.Process, log: logging.Handler, patience: float
    ) -> None:
        """`log` gets its log lines; `patience` is the time from SIGTERM to SIGKILL, in seconds."""
        self._process = process
        self._patience = patience
        self._leads = True
        self._log = log
        self._listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._pumps = [asyncio.create_task(pump) for pump in (self._stdout(), self._stderr())]
        #: The last lines of its log.
        self.tail: deque[str] = deque(maxlen=_TAIL)
        #: The reason that it reported for its failure.
        self.failure = ""

    @classmethod
    async def start(cls, launch: Launch, log: logging.Handler) -> "EngineProcess":
        """Spawn it in a new session, so that Ctrl-C in our terminal does not reach it."""
        process = await asyncio.create_subprocess_exec(
            *launch.argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment(launch.environment),
            start_new_session=True,
        )
        started = cls(process, log, launch.stop_seconds)
        assert process.stdin
        process.stdin.write(launch.config + b"\n")
        return started

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    @property
    def last_line(self) -> str:
        """The last line of its log."""
        return self.tail[-1].strip() if self.tail else ""

    async def listening(self) -> str | None:
        """Wait for its address; None if it exits before."""
        exited = asyncio.ensure_future(self.exited())
        ways: set[asyncio.Future[Any]] = {exited, self._listening}
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        exited.cancel()
        return self._listening.result() if self._listening.done() else None

    async def exited(self) -> int:
        """Wait until it has exited and all its output is read; returns its exit status."""
        await asyncio.wait(self._pumps)
        status = await self._process.wait()
        self._kill_group()
        return status

    async def stop(self) -> None:
        """SIGTERM, then SIGKILL; returns when it has exited and its log is closed."""
        if self._process.returncode is None:
            self._process.terminate()
        try:
            async with asyncio.timeout(self._patience):
                await self._gone()
        except TimeoutError:
            self._process.kill()
            await self._gone()
        self._kill_group()
        await asyncio.wait(self._pumps, timeout=_LAST_WORDS)
        self._hang_up()
        self._listening.cancel()
        self._log.close()

    def _hang_up(self) -> None:
        """A process that has left the group may hold our pipes open for ever."""
        for pump in self._pumps:
            pump.cancel()
        self._process._transport.close()  # type: ignore[attr-defined]

    async def _gone(self) -> None:
        """Return when it has ended: its own `wait` may also wait for whoever holds its pipes."""
        while self._process.returncode is None:  # noqa: ASYNC110 - nobody tells only this
            await asyncio.sleep(_LOOK_SECONDS)

    def _kill_group(self) -> None:
        if self._leads:
            self._leads = False  # only once: the process id may be reused
            with contextlib.suppress(
                ProcessLookupError, PermissionError
            ):  # usually it has no children
                os.killpg(self._process.pid, signal.SIGKILL)

    async def _stdout(self) -> None:
        assert self._process.stdout
        async for line in lines(self._process.stdout):
            try:
                self._handle(msgspec.json.decode(line, type=Event))
            except msgspec.DecodeError:
                self._write(line)

    def _handle(self, event: Event) -> None:
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


def log_file(path: Path) -> LogFile:
    """A log file for an engine, at most 2 MB with its predecessor."""
    return LogFile(path, max_bytes=_LOG_BYTES, before=1)


async def lines(stream: asyncio.StreamReader) -> AsyncIterator[str]:
    """Lines of any length: StreamReader's own method fails above 64 KB."""
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
