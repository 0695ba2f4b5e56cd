"""Keeps the processes of one machine running: started together, restarted, stopped in order."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from oxlo.errors import OperatorError
from oxlo.fleet.backoff import Backoff
from oxlo.fleet.process import lines
from oxlo.telemetry.logfile import LogFile

LOG_BYTES = 10_000_000
#: A child that fails this often before it was ever healthy will not get better by itself.
START_FAILURES = 3
HEALTHY_SECONDS = 10.0
#: Seconds in which what a killed child has written is read.
_LAST_WORDS = 1.0


@dataclass(frozen=True)
class Child:
    """One process: its name and its command."""

    name: str
    argv: tuple[str, ...]
    #: Seconds that it gets to end by itself after SIGTERM.
    grace: float


class StartFailed(OperatorError):
    """A child ended again and again before it had worked at all."""


class LogLine(msgspec.Struct):
    """What matters of a log line to somebody at a terminal."""

    event: str = ""
    level: str = "info"
    reason: str = ""
    error: str = ""


Tell = Callable[[str, LogLine], None]


def oxlo(name: str, grace: float, *args: str) -> Child:
    """One of our own commands, which ends when our end of its stdin closes."""
    return Child(name, (sys.executable, "-m", "oxlo", name, "--with-parent", *args), grace)


class Supervisor:
    """Runs children until told to stop; stops them in the order in which they are given."""

    def __init__(self, children: Sequence[Child], logs: Path, tell: Tell) -> None:
        self._keepers = [_Keeper(child, logs / f"{child.name}.log", tell) for child in children]

    async def run(self, stop: asyncio.Event) -> None:
        """Start all, restart what dies, and end when `stop` is set.

        Raises StartFailed, after stopping the others, when a child cannot work at all.
        """
        running = {keeper: asyncio.create_task(keeper.keep()) for keeper in self._keepers}
        stopped = asyncio.create_task(stop.wait())
        try:
            ended = [stopped, *running.values()]
            done, _ = await asyncio.wait(ended, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopped}:
                task.result()
        finally:
            stopped.cancel()
            for keeper, keeping in running.items():
                await keeper.stop(keeping)

    def hurry(self) -> None:
        """Kill what has not ended yet."""
        for keeper in self._keepers:
            keeper.kill()


class _Keeper:
    """Keeps one child alive."""

    def __init__(self, child: Child, log: Path, tell: Tell) -> None:
        self._child = child
        self._tell = tell
        self._log = LogFile(log, max_bytes=LOG_BYTES, before=2)
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self._last = LogLine()

    async def keep(self) -> None:
        """Run the child again and again, until `stop`. Raises StartFailed."""
        backoff, healthy_once = Backoff(), False
        while not self._stopping.is_set():
            started = time.monotonic()
            status = await self._run()
            lived = time.monotonic() - started
            if self._stopping.is_set():
                return
            healthy_once = healthy_once or lived >= HEALTHY_SECONDS
            wait = backoff.failed(lived)
            if not healthy_once and backoff.failures >= START_FAILURES:
                raise StartFailed(f"{self._child.name} cannot start: {self._why(status)}")
            reason = f"{self._why(status)}; again in {wait:g} s"
            self._tell(self._child.name, LogLine("child_died", "warning", reason))
            await self._pause(wait)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    def _why(self, status: int) -> str:
        if status < 0:
            return f"killed by signal {-status}"
        said = self._last.reason or self._last.error or self._last.event
        return said or f"it ended with status {status}"

    async def _run(self) -> int:
        """One life of the child; its exit status."""
        self._last = LogLine()
        with _ear() as (ear, mouth):
            process = await asyncio.create_subprocess_exec(
                *self._child.argv,
                stdin=asyncio.subprocess.PIPE,
                stderr=mouth,
                start_new_session=True,  # a Ctrl-C in our terminal is for us to handle
            )
            mouth.close()
            self._process = process
            if self._stopping.is_set():  # told to stop while it was being spawned
                process.terminate()
            hearing = asyncio.create_task(self._hear(ear))
            status = await process.wait()
            # What it has said is read; a child of its own may hold the pipe open for ever.
            await asyncio.wait({hearing}, timeout=_LAST_WORDS)
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)
        return status

    async def _hear(self, ear: BinaryIO) -> None:
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), ear
        )
        try:
            async for line in lines(reader):
                self._heard(line.rstrip())
        finally:
            transport.close()

    def _heard(self, line: str) -> None:
        self._log.emit(logging.makeLogRecord({"msg": line}))
        try:
            parsed = msgspec.json.decode(line, type=LogLine)
        except msgspec.DecodeError:
            parsed = LogLine(line, "info")
        if parsed.level in ("warning", "error", "critical") or not line.startswith("{"):
            self._last = parsed
        self._tell(self._child.name, parsed)

    async def stop(self, keeping: asyncio.Task[None]) -> None:
        """SIGTERM, wait, SIGKILL; returns when the child is gone and `keeping` has ended."""
        self._stopping.set()
        self._signal(signal.SIGTERM)
        await asyncio.wait({keeping}, timeout=self._child.grace)
        self.kill()
        await asyncio.gather(keeping, return_exceptions=True)
        self._log.close()

    def kill(self) -> None:
        """SIGKILL."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)


@contextlib.contextmanager
def _ear() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """The two ends of a pipe: where it is read, and where it is written."""
    ear, mouth = os.pipe()
    with os.fdopen(ear, "rb", 0) as heard, os.fdopen(mouth, "wb", 0) as said:
        yield heard, said
