"""What makes the fields that chats and completions share valid."""

import re

from oxlo.wire.decode import invalid
from oxlo.wire.shapes.sampling import StreamOptions

MAX_STOPS = 4
_TOKEN_ID = re.compile(r"[0-9]{1,9}")


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
