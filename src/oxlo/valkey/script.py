"""Lua scripts, and encoding commands."""

import hashlib
from typing import Any


class Script:
    """A script, which the server caches by SHA-1."""

    __slots__ = ("sha", "source")

    def __init__(self, source: bytes) -> None:
        self.source = source
        # Not for security: the protocol identifies scripts by SHA-1.
        self.sha = hashlib.sha1(source, usedforsecurity=False).hexdigest().encode()

    def call(self, key: bytes, *arguments: bytes) -> bytes:
        """Encode a call with one key."""
        return self.start(key, len(arguments)) + b"".join(map(bulk, arguments))

    def start(self, key: bytes, arguments: int, second: bytes = b"") -> bytes:
        """Encode the start of a call, to be followed by the arguments, each encoded by `bulk`."""
        keys = (key, second) if second else (key,)
        return b"*%d\r\n$7\r\nEVALSHA\r\n$40\r\n%b\r\n$1\r\n%d\r\n%b" % (
            arguments + 3 + len(keys),
            self.sha,
            len(keys),
            b"".join(map(bulk, keys)),
        )


def bulk(text: bytes) -> bytes:
    """Encode a bulk string."""
    return b"$%d\r\n%b\r\n" % (len(text), text)


def command(*words: bytes) -> bytes:
    """Encode a command."""
    return b"*%d\r\n%b" % (len(words), b"".join(map(bulk, words)))


def unheard(reply: Any) -> None:
    """Ignore a reply."""
