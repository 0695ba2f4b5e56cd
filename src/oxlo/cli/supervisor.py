"""Supervises the processes of one machine: starts, restarts, and stops them in order."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import BinaryIO

import msgspec

from oxlo.errors import OperatorError
from oxlo.fleet.backoff import Backoff
from oxlo.fleet.process import lines
from oxlo.telemetry.logfile import LogFile

LOG_BYTES = 10_000_000
#: A child that was never healthy is given up after so many failures.
START_FAILURES = 3
HEALTHY_SECONDS = 10.0
#: Seconds to read the remaining output of a child that ended.
_OUTPUT_SECONDS = 1.0


@dataclass(frozen=True)
class Child:
    """A child process: its name and command."""

    name: str
    argv: tuple[str, ...]
    #: Seconds between SIGTERM and SIGKILL.
    grace: float
    #: Neighbours with the same group are stopped together.
    group: str = ""


class StartFailed(OperatorError):
    """A child failed repeatedly without ever being healthy."""


class LogLine(msgspec.Struct):
    """The fields of a JSON log line that are shown on a terminal."""

    event: str = ""
    level: str = "info"
    reason: str = ""
    error: str = ""


OnLine = Callable[[str, LogLine], None]


def oxlo(name: str, grace: float, *args: str) -> Child:
    """A child that runs a command of `oxlo`, which ends when its stdin closes."""
    return Child(name, (sys.executable, "-m", "oxlo", name, "--with-parent", *args), grace)


class Supervisor:
    """Runs children until stopped; stops them in the given order."""

    def __init__(self, children: Sequence[Child], logs: Path, on_line: OnLine) -> None:
        self._runners = [_Runner(child, logs / f"{child.name}.log", on_line) for child in children]

    async def run(self, stop: asyncio.Event) -> None:
        """Start all children and restart those that end, until `stop` is set.

        Raises StartFailed, after stopping the others, if a child cannot start.
        """
        running = {runner: asyncio.create_task(runner.run()) for runner in self._runners}
        stopped = asyncio.create_task(stop.wait())
        try:
            ended = [stopped, *running.values()]
            done, _ = await asyncio.wait(ended, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopped}:
                task.result()
        finally:
            stopped.cancel()
            for _, together in groupby(running, lambda runner: runner.group):
                await asyncio.gather(*(runner.stop(running[runner]) for runner in together))

    def kill(self) -> None:
        """Kill the children that are still running."""
        for runner in self._runners:
            runner.kill()


class _Runner:
    """Runs and restarts one child."""

    def __init__(self, child: Child, log: Path, on_line: OnLine) -> None:
        self._child = child
        self._on_line = on_line
        self._log = LogFile(log, max_bytes=LOG_BYTES, before=2)
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self._last = LogLine()

    @property
    def group(self) -> str:
        """The child's group; a child without one is its own."""
        return self._child.group or self._child.name

    async def run(self) -> None:
        """Run and restart the child until `stop`. Raises StartFailed."""
        backoff, healthy_once = Backoff(), False
        while not self._stopping.is_set():
            started = time.monotonic()
            status = await self._run_once()
            lived = time.monotonic() - started
            if self._stopping.is_set():
                return
            healthy_once = healthy_once or lived >= HEALTHY_SECONDS
            wait = backoff.failed(lived)
            if not healthy_once and backoff.failures >= START_FAILURES:
                raise StartFailed(f"{self._child.name} cannot start: {self._why(status)}")
            reason = f"{self._why(status)}; again in {wait:g} s"
            self._on_line(self._child.name, LogLine("child_died", "warning", reason))
            await self._pause(wait)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    def _why(self, status: int) -> str:
        if status < 0:
            return f"killed by signal {-status}"
        message = self._last.reason or self._last.error or self._last.event
        return message or f"it ended with status {status}"

    async def _run_once(self) -> int:
        """Run the child once; returns its exit status."""
        self._last = LogLine()
        with _pipe() as (read_end, write_end):
            process = await asyncio.create_subprocess_exec(
                *self._child.argv,
                stdin=asyncio.subprocess.PIPE,
                stderr=write_end,
                start_new_session=True,  # so that only the supervisor gets Ctrl-C
            )
            write_end.close()
            self._process = process
            if self._stopping.is_set():  # stopped while it was being spawned
                process.terminate()
            reading = asyncio.create_task(self._read(read_end))
            status = await process.wait()
            # Read its remaining output; the timeout is for grandchildren that keep the pipe open.
            await asyncio.wait({reading}, timeout=_OUTPUT_SECONDS)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        return status

    async def _read(self, read_end: BinaryIO) -> None:
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), read_end
        )
        try:
            async for line in lines(reader):
                self._on_output(line.rstrip())
        finally:
            transport.close()

    def _on_output(self, line: str) -> None:
        self._log.emit(logging.makeLogRecord({"msg": line}))
        try:
            parsed = msgspec.json.decode(line, type=LogLine)
        except msgspec.DecodeError:
            parsed = LogLine(line, "info")
        if parsed.level in ("warning", "error", "critical") or not line.startswith("{"):
            self._last = parsed
        self._on_line(self._child.name, parsed)

    async def stop(self, running: asyncio.Task[None]) -> None:
        """Send SIGTERM, after the grace period SIGKILL; returns when `running` has ended."""
        self._stopping.set()
        self._signal(signal.SIGTERM)
        await asyncio.wait({running}, timeout=self._child.grace)
        self.kill()
        await asyncio.gather(running, return_exceptions=True)
        self._log.close()

    def kill(self) -> None:
        """Send SIGKILL."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)


@contextlib.contextmanager
def _pipe() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """A pipe's read end and write end."""
    read_fd, write_fd = os.pipe()
    with os.fdopen(read_fd, "rb", 0) as read_end, os.fdopen(write_fd, "wb", 0) as write_end:
        yield read_end, write_end
