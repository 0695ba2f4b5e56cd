"""Keeps the processes of one machine running: started together, restarted, stopped in order."""

import asyncio
import contextlib
import logging
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path

import msgspec

from oxlo.fleet.backoff import Backoff

LOG_BYTES = 10_000_000
#: A child that fails this often before it was ever healthy will not get better by itself.
START_FAILURES = 3
HEALTHY_SECONDS = 10.0


@dataclass(frozen=True)
class Child:
    """One process: its name and its command."""

    name: str
    argv: tuple[str, ...]
    #: Seconds that it gets to end by itself after SIGTERM.
    grace: float


class StartFailed(Exception):
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
        running = [asyncio.create_task(keeper.keep()) for keeper in self._keepers]
        stopped = asyncio.create_task(stop.wait())
        try:
            done, _ = await asyncio.wait([stopped, *running], return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopped}:
                task.result()
        finally:
            stopped.cancel()
            for keeper in self._keepers:
                await keeper.stop()
            await asyncio.gather(*running, return_exceptions=True)

    def hurry(self) -> None:
        """Kill what has not ended yet."""
        for keeper in self._keepers:
            keeper.kill()


class _Keeper:
    """Keeps one child alive."""

    def __init__(self, child: Child, log: Path, tell: Tell) -> None:
        self._child = child
        self._tell = tell
        self._log = RotatingFileHandler(log, maxBytes=LOG_BYTES, backupCount=2, delay=True)
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self._last = LogLine()

    async def keep(self) -> None:
        """Run the child again and again. Raises StartFailed."""
        backoff, healthy_once = Backoff(), False
        while not self._stopping:
            started = time.monotonic()
            status = await self._run()
            lived = time.monotonic() - started
            healthy_once = healthy_once or lived >= HEALTHY_SECONDS
            wait = backoff.failed(lived)
            if self._stopping:
                return
            if not healthy_once and backoff.failures >= START_FAILURES:
                raise StartFailed(f"{self._child.name} cannot start: {self._why(status)}")
            reason = f"{self._why(status)}; again in {wait:g} s"
            self._tell(self._child.name, LogLine("child_died", "warning", reason))
            await asyncio.sleep(wait)

    def _why(self, status: int) -> str:
        said = self._last.reason or self._last.error or self._last.event
        return said or f"it ended with status {status}"

    async def _run(self) -> int:
        self._process = process = await asyncio.create_subprocess_exec(
            *self._child.argv,
            stdin=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C in our terminal is for us to handle
        )
        assert process.stderr is not None
        while line := await process.stderr.readline():
            self._heard(line.decode(errors="replace").rstrip())
        return await process.wait()

    def _heard(self, line: str) -> None:
        self._log.emit(logging.makeLogRecord({"msg": line}))
        try:
            parsed = msgspec.json.decode(line, type=LogLine)
        except msgspec.DecodeError:
            parsed = LogLine(line, "info")
        if parsed.level in ("warning", "error", "critical") or not line.startswith("{"):
            self._last = parsed
        self._tell(self._child.name, parsed)

    async def stop(self) -> None:
        """SIGTERM, wait, SIGKILL; returns when the child is gone."""
        self._stopping = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), self._child.grace)
        except TimeoutError:
            self.kill()
            await process.wait()
        self._log.close()

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
