"""POST /v1/completions, the legacy endpoint: the request and what makes it valid."""

from typing import Annotated

from msgspec import Meta

from oxlo.catalogue import Model
from oxlo.wire.decode import Decoder, invalid, unsupported
from oxlo.wire.lazy import Lazy
from oxlo.wire.messages import first_bytes
from oxlo.wire.ranges import check_ranges
from oxlo.wire.sampling import check_bias, check_stop, check_stream
from oxlo.wire.shapes.sampling import Sampling

MAX_PROMPTS = 16
MAX_LOGPROBS = 5
Token = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class CompletionRequest(Sampling, kw_only=True):
    """One completion request. `prompt` is text, texts, token ids, or lists of token ids."""

    prompt: str | list[str | Token | list[Token]]
    best_of: int | None = None
    logprobs: int | None = None
    echo: bool | None = None
    suffix: str | None = None

    @property
    def output_limit(self) -> int | None:
        """The caller's wish for each answer's length."""
        return self.max_tokens

    @Lazy
    def prompts(self) -> list[str | list[int]]:
        """Every prompt: text or token ids."""
        if isinstance(self.prompt, str):
            return [self.prompt]
        if self.prompt and all(isinstance(item, int) for item in self.prompt):
            return [[item for item in self.prompt if isinstance(item, int)]]
        return [item for item in self.prompt if not isinstance(item, int)]

    @property
    def message_count(self) -> int:
        """How many prompts there are."""
        return len(self.prompts)

    @property
    def text_bytes(self) -> int:
        """Upper bound of the longest prompt, in tokens of text."""
        return max((len(p.encode()) if isinstance(p, str) else len(p)) for p in self.prompts)

    @property
    def opening(self) -> bytes:
        """How the first prompt begins; token ids tell nothing that is worth it."""
        first = self.prompts[0]
        return first_bytes([first.encode()]) if isinstance(first, str) else b""


class _Strict(CompletionRequest, forbid_unknown_fields=True):
    """The same, refusing fields that it does not know."""


_decoder: Decoder[CompletionRequest] = Decoder(_Strict, CompletionRequest)


def decode(body: bytes) -> tuple[CompletionRequest, tuple[str, ...]]:
    """A valid request, whatever the model, and the names of unknown fields. Raises BadRequest."""
    request, unknown = _decoder.decode(body)
    _check_prompts(request)
    check_stream(request.stream, request.stream_options)
    if request.stop is not None:
        check_stop(request.stop)
    if request.logit_bias is not None:
        check_bias(request.logit_bias)
    if request.logprobs is not None and not 0 <= request.logprobs <= MAX_LOGPROBS:
        raise invalid("logprobs", f"expected a number from 0 to {MAX_LOGPROBS}.")
    if request.best_of is not None and request.best_of != (request.n or 1):
        raise invalid("best_of", "every answer is returned here: it must equal 'n'.")
    if request.suffix:
        raise unsupported("suffix", "no model here fills in before one.")
    return request, unknown


def _check_prompts(request: CompletionRequest) -> None:
    if isinstance(request.prompt, list):
        kinds = {type(item) for item in request.prompt}
        if len(kinds) != 1:
            raise invalid("prompt", "give a text, texts, token ids or lists of token ids.")
    if len(request.prompts) > MAX_PROMPTS:
        raise invalid("prompt", f"at most {MAX_PROMPTS} prompts, got {len(request.prompts)}.")
    if not all(request.prompts):
        raise invalid("prompt", "a prompt may not be empty.")


def validate(request: CompletionRequest, model: Model) -> None:
    """Check a request against its model. Raises BadRequest."""
    check_ranges(request, model)
