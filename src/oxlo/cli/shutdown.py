"""Shutdown of a process: by a signal, or when its parent process ends."""

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Collection
from typing import TypeVar

import structlog

Result = TypeVar("Result")
log = structlog.get_logger()


def signals() -> tuple[signal.Signals, ...]:
    """The signals that end this process; call it once, at the start.

    With a terminal, SIGHUP is included, because it means that the terminal was closed. For a daemon
    SIGHUP means to reload files; it is ignored until `on_signals` handles it.
    """
    if _has_terminal():
        return (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    return (signal.SIGTERM, signal.SIGINT)


def _has_terminal() -> bool:
    """Whether a terminal controls this process, and SIGHUP is not ignored (`nohup`, `trap`)."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return False
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


def on_signals(
    ends: Collection[signal.Signals],
    stop: Callable[[signal.Signals], None],
    hangup: Callable[[], None],
) -> None:
    """Call `stop` in the event loop on the signals `ends`, and `hangup` on any other SIGHUP."""
    loop = asyncio.get_running_loop()
    for number in ends:
        loop.add_signal_handler(number, stop, number)
    if signal.SIGHUP not in ends:
        loop.add_signal_handler(signal.SIGHUP, hangup)


def on_shutdown(stop: Callable[[], None], *, with_parent: bool) -> None:
    """Call `stop` in the event loop on a signal and, `with_parent`, at the end of stdin."""
    on_signals(signals(), lambda _: stop(), lambda: log.info("hangup.ignored"))
    if with_parent:
        loop = asyncio.get_running_loop()
        threading.Thread(target=_watch_parent, args=(loop, stop), daemon=True).start()


async def run_until_shutdown(
    serve: Callable[[asyncio.Event], Awaitable[Result]], *, with_parent: bool
) -> Result:
    """Run `serve` with an event that is set on shutdown; returns its result."""
    stop = asyncio.Event()
    on_shutdown(stop.set, with_parent=with_parent)
    return await serve(stop)


def _watch_parent(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
    """Wait for the end of stdin: the pipe closes however the parent ends, kill -9 included."""
    # Not sys.stdin: this thread would hold its lock while the interpreter shuts down.
    while os.read(0, 65536):
        pass
    with contextlib.suppress(RuntimeError):  # the loop is closed already
        loop.call_soon_threadsafe(stop)
