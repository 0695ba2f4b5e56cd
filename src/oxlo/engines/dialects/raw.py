"""Replies that are bytes and no events: audio, sent as it is made."""

from oxlo.engines.dialect import Translator


class Raw(Translator):
    """Passes bytes on. A reply that breaks off is none: the exchange with the engine says so."""

    __slots__ = ()

    def __init__(self, head: bytes) -> None:
        """`head` holds the reply's header lines."""
        super().__init__()
        self.head = head
        self.ending = b""

    def feed(self, data: bytes) -> bytes:
        """Translate one read."""
        self.started = self.started or bool(data)
        return data

    def ended(self) -> bool:
        """Whether there was a reply at all."""
        self.done = self.started
        self.finish = "stop"
        return self.done
