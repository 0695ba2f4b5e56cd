"""Translating engines' errors to ours; a 4xx that the client caused stays a 4xx."""

import re
from typing import Any

import msgspec

from oxlo.errors import (
    ApiError,
    BadRequest,
    ContextLengthExceeded,
    EngineFailed,
    Overloaded,
)

_TOO_LONG = re.compile(
    r"context (size|length|window)|maximum context|too long|exceed.*context", re.IGNORECASE
)
_SECRET = re.compile(r"(https?://\S+|/(?:[\w.\-]+/)+[\w.\-]+|sk[-_]\S+)")
#: What msgspec raises for malformed input.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Inner(msgspec.Struct):
    message: str = ""
    type: str | None = None
    code: int | str | None = None
    param: str | None = None
    n_prompt_tokens: int | None = None
    n_ctx: int | None = None


class _Outer(msgspec.Struct):
    error: _Inner | str | None = None
    message: str | None = None
    #: FastAPI's: a message, or a list of validation errors.
    detail: Any = None


def read(body: bytes) -> _Inner:
    """The error in an engine's response, in any of the usual shapes."""
    try:
        outer = msgspec.json.decode(body, type=_Outer)
    except UNREADABLE:
        return _Inner(message="")
    if isinstance(outer.error, _Inner):
        return outer.error
    detail = outer.detail if isinstance(outer.detail, str) else ""
    return _Inner(message=outer.error or outer.message or detail)


def translate(status: int, body: bytes) -> ApiError:
    """Translate an engine's error response."""
    inner = read(body)
    if status in (400, 413, 422) or (status == 500 and _is_client_error(inner)):
        return _bad_request(inner)
    if status in (429, 503):
        return Overloaded("The model is busy or still loading. Try again shortly.", retry_after=2)
    return EngineFailed()


def in_stream(body: bytes) -> ApiError:
    """Translate an error event of a stream; its code, if any, is the status."""
    return translate(status_of(body), body)


def status_of(body: bytes) -> int:
    """The HTTP status that an error event stands for; 500 if it does not tell."""
    inner = read(body)
    if isinstance(inner.code, int):
        return inner.code
    return BadRequest.status if inner.type == BadRequest.type else 500


def _is_client_error(inner: _Inner) -> bool:
    """llama.cpp answers 500 to some invalid requests (templates, grammars)."""
    return inner.type == "invalid_request_error" or "grammar" in inner.message.lower()


def _bad_request(inner: _Inner) -> BadRequest:
    message = clean(inner.message) or "The model's engine refused the request."
    if inner.type == "exceed_context_size_error" or _TOO_LONG.search(message):
        return _too_long(inner, message)
    return BadRequest(message, param=inner.param, code="engine_refused")


def _too_long(inner: _Inner, message: str) -> ContextLengthExceeded:
    if inner.n_prompt_tokens is None or inner.n_ctx is None:
        return ContextLengthExceeded(message, param="messages")
    return over_context(inner.n_prompt_tokens, inner.n_ctx)


def over_context(counted: int, context: int, param: str = "messages") -> ContextLengthExceeded:
    """A prompt over the context length, in OpenAI's wording, which clients recognise."""
    return ContextLengthExceeded(
        f"This model's maximum context length is {context} tokens, and the prompt has {counted}. "
        "Shorten it.",
        param=param,
        counted_tokens=counted,
        allowed_tokens=context - 1,
    )


def clean(message: str) -> str:
    """An engine's message without URLs, paths and keys, at most 500 characters."""
    return _SECRET.sub("...", " ".join(message.split()))[:500]
