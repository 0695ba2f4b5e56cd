"""A Lua script, and its calls as the protocol writes them."""

import hashlib
from typing import Any


class Script:
    """A script that the server keeps by its SHA-1."""

    __slots__ = ("sha", "source")

    def __init__(self, source: bytes) -> None:
        self.source = source
        # Not a secret: it is how the protocol names scripts.
        self.sha = hashlib.sha1(source, usedforsecurity=False).hexdigest().encode()

    def call(self, key: bytes, *arguments: bytes) -> bytes:
        """A call with one key."""
        return self.start(key, len(arguments)) + b"".join(map(bulk, arguments))

    def start(self, key: bytes, arguments: int, second: bytes = b"") -> bytes:
        """The beginning of a call: so many arguments must follow, each as `bulk` writes it."""
        keys = (key, second) if second else (key,)
        return b"*%d\r\n$7\r\nEVALSHA\r\n$40\r\n%b\r\n$1\r\n%d\r\n%b" % (
            arguments + 3 + len(keys),
            self.sha,
            len(keys),
            b"".join(map(bulk, keys)),
        )


def bulk(text: bytes) -> bytes:
    """One string of a command."""
    return b"$%d\r\n%b\r\n" % (len(text), text)


def command(*words: bytes) -> bytes:
    """A whole command."""
    return b"*%d\r\n%b" % (len(words), b"".join(map(bulk, words)))


def unheard(reply: Any) -> None:
    """Take a reply that nobody waits for."""
