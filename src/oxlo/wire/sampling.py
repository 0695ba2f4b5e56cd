"""Fields that chats and completions share, and their validation."""

import re
from collections.abc import Callable
from typing import Any, Final

from oxlo.wire.decode import invalid
from oxlo.wire.media import Medium

MAX_STOPS = 4
#: Limit on fallback models.
MAX_MODELS = 8
#: Sent instead of a penalty of 0, by which engines would divide.
_LEAST_PENALTY: Final = 0.001
_TOKEN_ID = re.compile(r"[0-9]{1,9}")

#: Validates the value of one field. Raises BadRequest.
Check = Callable[[Any], None]


class Generation:
    """A request for generated text."""

    __slots__ = ("given", "include_usage", "model", "models", "n", "sse", "stream")

    def __init__(self, given: dict[str, Any], checks: dict[str, Check]) -> None:
        """Read the shared fields. Raises BadRequest that names an invalid one."""
        self.given = given
        self.model: str = given["model"]
        #: Fallback models, in order.
        self.models: list[str] | None = given.get("models")
        self.n: int = given.get("n") or 1
        self.stream: bool = given.get("stream", False)
        #: Streams are server-sent events.
        self.sse = True
        #: Whether the usage chunk of the stream was requested.
        self.include_usage = False
        options = given.get("stream_options")
        if options is not None:
            if not self.stream:
                raise invalid("stream_options", "allowed only with 'stream': true.")
            self.include_usage = options.include_usage is True
        penalty = given.pop("repetition_penalty", None)
        if penalty is not None:
            given.setdefault("repeat_penalty", penalty)
        if given.get("repeat_penalty") == 0:
            given["repeat_penalty"] = _LEAST_PENALTY
        for name, value in given.items():
            check = checks.get(name)
            if check is not None:
                check(value)

    def media(self) -> tuple[Medium, ...]:
        """Empty: text only."""
        return ()


def _check_stop(stop: str | list[str]) -> None:
    if isinstance(stop, list) and len(stop) > MAX_STOPS:
        raise invalid("stop", f"at most {MAX_STOPS} sequences, got {len(stop)}.")
    if stop == "" or "" in list(stop):
        raise invalid("stop", "a sequence may not be empty: it would end every answer at once.")


def _check_bias(bias: dict[str, float]) -> None:
    if not all(_TOKEN_ID.fullmatch(token) for token in bias):
        raise invalid("logit_bias", "expected token ids, as strings of digits.")
    if not all(-100 <= value <= 100 for value in bias.values()):
        raise invalid("logit_bias", "expected biases from -100 to 100.")


def _check_models(models: list[str]) -> None:
    if len(models) > MAX_MODELS:
        raise invalid("models", f"at most {MAX_MODELS} models, got {len(models)}.")
    if not all(models):
        raise invalid("models", "a model's name may not be empty.")


#: Validation of shared fields.
CHECKS: Final[dict[str, Check]] = {
    "stop": _check_stop,
    "logit_bias": _check_bias,
    "models": _check_models,
}
