"""What an engine's process tells its parent: one line of JSON on stdout for each event."""

import os
import sys
from typing import NoReturn

import msgspec


def say(event: dict[str, str]) -> None:
    """Tell the parent, in one line."""
    sys.stdout.buffer.write(msgspec.json.encode(event) + b"\n")
    sys.stdout.buffer.flush()


def fail(reason: str) -> NoReturn:
    """Tell the parent why there will be no engine, and end."""
    say({"event": "failed", "reason": reason})
    sys.stderr.flush()
    os._exit(1)
