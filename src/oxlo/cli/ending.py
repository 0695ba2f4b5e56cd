"""How a process of ours is told to end: by a signal, or by the end of whoever started it."""

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

Result = TypeVar("Result")


def on_end(stop: Callable[[], None], *, with_parent: bool) -> None:
    """Call `stop` in the running loop at SIGTERM, at SIGINT and, `with_parent`, when stdin ends."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    if with_parent:
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
