"""What the gateway needs to know of a request, whatever its endpoint."""

from collections.abc import Iterable
from typing import Protocol

from oxlo.wire.media import Medium


class Request(Protocol):
    """A decoded request."""

    @property
    def model(self) -> str:
        """The model's name, as the caller spelt it."""

    @property
    def stream(self) -> bool | None:
        """Whether the reply is sent while it is made."""

    @property
    def sse(self) -> bool:
        """Whether that is done as server-sent events."""

    @property
    def output_limit(self) -> int | None:
        """The caller's wish for the answer's length, in tokens."""

    @property
    def message_count(self) -> int:
        """How many messages or prompts there are, for what a template adds to each."""

    @property
    def text_bytes(self) -> int:
        """Upper bound of what is capped, in bytes: no text has more tokens."""

    def turns(self) -> Iterable[bytes]:
        """What the prompt says, turn after turn: calls that begin alike share an engine's cache."""

    def media(self) -> tuple[Medium, ...]:
        """The pictures and recordings that it names."""


class Whole:
    """What requests share whose answer has no length to wish for and comes in one piece."""

    @property
    def stream(self) -> bool | None:
        """It is not sent while it is made."""
        return None

    @property
    def sse(self) -> bool:
        """There are no events."""
        return False

    @property
    def output_limit(self) -> int | None:
        """There are no tokens to answer with."""
        return None

    @property
    def message_count(self) -> int:
        """One text at a time: no template adds to it."""
        return 1

    def turns(self) -> Iterable[bytes]:
        """Nothing of it is kept between calls."""
        return ()

    def media(self) -> tuple[Medium, ...]:
        """It is text alone."""
        return ()
