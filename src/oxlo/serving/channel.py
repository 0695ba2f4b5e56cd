"""Events from an engine's process to its parent: one line of JSON each on stdout."""

import os
import sys
from typing import NoReturn

import msgspec


def say(event: dict[str, str]) -> None:
    """Send an event to the parent."""
    sys.stdout.buffer.write(msgspec.json.encode(event) + b"\n")
    sys.stdout.buffer.flush()


def fail(reason: str) -> NoReturn:
    """Report to the parent why the engine cannot start, and exit."""
    say({"event": "failed", "reason": reason})
    sys.stderr.flush()
    os._exit(1)
