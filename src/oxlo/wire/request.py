"""The interface of decoded requests that the gateway uses, for all endpoints."""

from collections.abc import Iterable
from typing import Protocol

from oxlo.wire.media import Medium


class Request(Protocol):
    """A decoded request."""

    @property
    def model(self) -> str:
        """The model's name as sent."""

    @property
    def stream(self) -> bool | None:
        """Whether the response is streamed."""

    @property
    def sse(self) -> bool:
        """Whether streams are server-sent events."""

    @property
    def output_limit(self) -> int | None:
        """Requested limit on output tokens."""

    @property
    def message_count(self) -> int:
        """Number of messages or prompts, each of which a chat template adds tokens to."""

    @property
    def text_bytes(self) -> int:
        """Size in bytes of the text that the input limit applies to; no text has more tokens."""

    def turns(self) -> Iterable[bytes]:
        """The parts of the prompt; requests with equal beginnings share an engine's cache."""

    def media(self) -> tuple[Medium, ...]:
        """Its images and recordings."""


class Whole:
    """Defaults for requests without token limits and streams."""

    @property
    def stream(self) -> bool | None:
        """Not streamed."""
        return None

    @property
    def sse(self) -> bool:
        """Never."""
        return False

    @property
    def output_limit(self) -> int | None:
        """None: there are no output tokens."""
        return None

    @property
    def message_count(self) -> int:
        """1: there is no chat template."""
        return 1

    def turns(self) -> Iterable[bytes]:
        """Empty: nothing is cached."""
        return ()

    def media(self) -> tuple[Medium, ...]:
        """Empty: text only."""
        return ()
