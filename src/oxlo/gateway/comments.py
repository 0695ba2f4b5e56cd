"""SSE comments: clients skip them, people who look at the bytes understand them."""

import math
from typing import Any, Final

from oxlo.queue import ModelQueue

WORKING: Final = b": the model is working\n\n"


def waiting(queue: ModelQueue[Any], item: Any, now: float) -> bytes:
    """For a call that stands in a queue: its place, and about how long that is."""
    place, seconds = queue.place(item, now), math.ceil(queue.expected_wait(item, now))
    return b": waiting for the model, place %d, about %d s\n\n" % (place, seconds)
