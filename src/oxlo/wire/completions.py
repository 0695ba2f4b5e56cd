"""POST /v1/completions, the legacy endpoint: decoding and validating requests."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from oxlo.catalogue import Model
from oxlo.wire.decode import Decoder, invalid, unsupported
from oxlo.wire.given import given
from oxlo.wire.ranges import check_given
from oxlo.wire.sampling import CHECKS, Check, Generation
from oxlo.wire.shapes.completions import CompletionFields

MAX_PROMPTS = 16
MAX_LOGPROBS = 5

_ELSEWHERE = {"messages": "'messages' is a field of POST /v1/chat/completions."}
_decoder: Final[Decoder[CompletionFields]] = Decoder(CompletionFields, elsewhere=_ELSEWHERE)


class CompletionRequest(Generation):
    """A completion request."""

    __slots__ = ("message_count", "output_limit", "prompts", "text_bytes")

    def __init__(self, given: dict[str, Any]) -> None:
        """`given` are the fields by name. Raises BadRequest that names an invalid one."""
        super().__init__(given, _CHECKS)
        #: All prompts: text or token ids.
        self.prompts = _prompts(given["prompt"])
        self.message_count = len(self.prompts)
        #: Upper bound of the longest prompt's size in tokens.
        self.text_bytes = max(map(_size, self.prompts))
        #: Requested limit on output tokens of each answer.
        self.output_limit: int | None = given.get("max_tokens")
        if given.get("best_of", self.n) != self.n:
            raise invalid("best_of", "every answer is returned here: it must equal 'n'.")

    def turns(self) -> Iterator[bytes]:
        """The first prompt."""
        first = self.prompts[0]
        yield first.encode() if isinstance(first, str) else msgspec.json.encode(first)


def decode(body: bytes) -> tuple[CompletionRequest, tuple[str, ...]]:
    """Decode a request, and name its unknown fields. Raises BadRequest."""
    fields, unknown = _decoder.decode(body)
    return CompletionRequest(given(fields)), unknown


def _prompts(prompt: str | list[Any]) -> list[str | list[int]]:
    """All prompts as a list. Raises BadRequest if they are mixed, too many or empty."""
    if isinstance(prompt, str):
        prompts: list[str | list[int]] = [prompt]
    elif len({type(item) for item in prompt}) != 1:
        raise invalid("prompt", "give a text, texts, token ids or lists of token ids.")
    else:
        prompts = [prompt] if isinstance(prompt[0], int) else prompt
    if len(prompts) > MAX_PROMPTS:
        raise invalid("prompt", f"at most {MAX_PROMPTS} prompts, got {len(prompts)}.")
    if not all(prompts):
        raise invalid("prompt", "a prompt may not be empty.")
    return prompts


def _size(prompt: str | list[int]) -> int:
    return len(prompt.encode()) if isinstance(prompt, str) else len(prompt)


def _check_logprobs(logprobs: int) -> None:
    if not 0 <= logprobs <= MAX_LOGPROBS:
        raise invalid("logprobs", f"expected a number from 0 to {MAX_LOGPROBS}.")


def _check_suffix(suffix: str) -> None:
    if suffix:
        raise unsupported("suffix", "no model here fills in before one.")


_CHECKS: Final[dict[str, Check]] = CHECKS | {"logprobs": _check_logprobs, "suffix": _check_suffix}


def validate(request: CompletionRequest, model: Model) -> None:
    """Validate a request for a model. Raises BadRequest."""
    check_given(request.given, model)
