"""Responses that are plain bytes: audio, sent while it is synthesised."""

from oxlo.engines.dialect import Translator


class Bytes(Translator):
    """Forwards bytes. An incomplete response is noticed by the HTTP client."""

    __slots__ = ()

    def __init__(self, head: bytes) -> None:
        """`head` has the response's header lines."""
        super().__init__()
        self.head = head
        self.ending = b""

    def feed(self, data: bytes) -> bytes:
        """Translate one read."""
        self.started = self.started or bool(data)
        return data

    def ended(self) -> bool:
        """Whether there was any data."""
        self.done = self.started
        self.finish = "stop"
        return self.done
