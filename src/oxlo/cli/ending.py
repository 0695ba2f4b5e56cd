"""How a process of ours is told to end: by a signal, or by the end of whoever started it."""

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
    """The signals that are to end this process, to be asked for once, at its start.

    SIGHUP is one of them where a terminal sends it when it closes. A daemon has no terminal: SIGHUP
    then asks it to read its files anew, and is ignored until `on_signals` listens.
    """
    if _has_terminal():
        return (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    return (signal.SIGTERM, signal.SIGINT)


def _has_terminal() -> bool:
    """Whether a terminal controls this process, and neither `nohup` nor `trap` keeps it from it."""
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
    """Call `stop` in the running loop at those that end, and `hangup` at SIGHUP if it does not."""
    loop = asyncio.get_running_loop()
    for number in ends:
        loop.add_signal_handler(number, stop, number)
    if signal.SIGHUP not in ends:
        loop.add_signal_handler(signal.SIGHUP, hangup)


def on_end(stop: Callable[[], None], *, with_parent: bool) -> None:
    """Call `stop` in the running loop at a signal and, `with_parent`, when stdin ends."""
    on_signals(signals(), lambda _: stop(), lambda: log.info("hangup.ignored"))
    if with_parent:
        loop = asyncio.get_running_loop()
        threading.Thread(target=_follow_parent, args=(loop, stop), daemon=True).start()


async def until_end(
    serve: Callable[[asyncio.Event], Awaitable[Result]], *, with_parent: bool
) -> Result:
    """What `serve` comes to, which is to end once the event that it is given is set."""
    stop = asyncio.Event()
    on_end(stop.set, with_parent=with_parent)
    return await serve(stop)


def _follow_parent(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
    """The parent's end of our stdin is closed whatever killed it, a kill -9 included."""
    # Not through sys.stdin: its lock would be held while the interpreter shuts down.
    while os.read(0, 65536):
        pass
    with contextlib.suppress(RuntimeError):  # the loop may have ended for another reason
        loop.call_soon_threadsafe(stop)
