"""The fields that chats and completions share, and what makes them valid."""

import re
from typing import Annotated

import msgspec
from msgspec import Meta

from oxlo.wire.decode import invalid

MAX_STOPS = 4
_TOKEN_ID = re.compile(r"[0-9]{1,9}")

#: OpenAI's seeds: 64 bits.
Seed = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class StreamOptions(msgspec.Struct):
    """Options of a stream."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class Sampling(msgspec.Struct, kw_only=True, dict=True):
    """How to answer: OpenAI's fields, and the samplers of our docs. `None` is absent."""

    model: str
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = None
    stop: str | list[str] | None = None
    seed: Seed | None = None
    temperature: float | None = None
    top_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    max_tokens: int | None = None
    user: str | None = None

    top_k: int | None = None
    min_p: float | None = None
    typical_p: float | None = None
    tfs_z: float | None = None
    repeat_penalty: float | None = None
    mirostat_mode: int | None = None
    mirostat_tau: float | None = None
    mirostat_eta: float | None = None

    @property
    def sse(self) -> bool:
        """Whether a stream of it is one of server-sent events."""
        return True

    @property
    def include_usage(self) -> bool:
        """Whether the stream's usage chunk was asked for."""
        return self.stream_options is not None and self.stream_options.include_usage is True


def check_stream(stream: bool | None, options: StreamOptions | None) -> None:
    """Options of a stream go with a stream. Raises BadRequest."""
    if options is not None and stream is not True:
        raise invalid("stream_options", "allowed only with 'stream': true.")


def check_stop(stop: str | list[str]) -> None:
    """Raises BadRequest for too many stops."""
    if isinstance(stop, list) and len(stop) > MAX_STOPS:
        raise invalid("stop", f"at most {MAX_STOPS} sequences, got {len(stop)}.")


def check_bias(bias: dict[str, float]) -> None:
    """Raises BadRequest for what are not token ids, or biases out of range."""
    if not all(_TOKEN_ID.fullmatch(token) for token in bias):
        raise invalid("logit_bias", "expected token ids, as strings of digits.")
    if not all(-100 <= value <= 100 for value in bias.values()):
        raise invalid("logit_bias", "expected biases from -100 to 100.")
