"""Engines' errors as ours."""

import msgspec
import pytest

from oxlo.engines.dialects import DIALECTS, failures
from oxlo.errors import BadRequest, ContextLengthExceeded, EngineFailed, Overloaded


def said(**error: object) -> bytes:
    """An engine's error."""
    return msgspec.json.encode({"error": error})


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, said(message="bad"), BadRequest),
        (400, b'{"error":"bad"}', BadRequest),
        (422, b'{"detail":[{"loc":["body"]}]}', BadRequest),
        (413, b"", BadRequest),
        (400, said(message="This model's maximum context length is 5"), ContextLengthExceeded),
        (400, said(type="exceed_context_size_error", message="x"), ContextLengthExceeded),
        (500, said(message="failed to parse grammar"), BadRequest),
        (500, said(type="invalid_request_error", message="template"), BadRequest),
        (500, said(message="CUDA out of memory"), EngineFailed),
        (401, said(message="key"), EngineFailed),
        (404, b"<html>", EngineFailed),
        (429, said(message="slow down"), Overloaded),
        (503, said(message="Loading model"), Overloaded),
        (200, b"", EngineFailed),
    ],
)
def test_status(name: str, status: int, body: bytes, kind: type[Exception]) -> None:
    """The caller's mistakes stay 400; the engine's own troubles are told as such."""
    assert type(DIALECTS[name].error(status, body)) is kind


def test_numbers_of_a_long_prompt() -> None:
    """Where an engine tells the numbers, the error has them."""
    body = said(type="exceed_context_size_error", message="x", n_prompt_tokens=9, n_ctx=5)
    error = failures.translate(400, body)
    assert error.extra == {"counted_tokens": 9, "allowed_tokens": 4}
    assert "maximum context length is 5 tokens" in error.message
    assert "the prompt has 9" in error.message


@pytest.mark.parametrize(
    "secret", ["http://10.0.0.7:8000/v1", "/usr/lib/vllm/engine.py", "sk-abc123", "sk_abc123"]
)
def test_secrets_stay(secret: str) -> None:
    """An engine's words carry no addresses, paths or keys out."""
    message = failures.translate(400, said(message=f"bad value in {secret} here")).message
    assert secret not in message
    assert message == "bad value in ... here"


def test_words_of_fastapi() -> None:
    """Servers that say `detail` are understood."""
    assert failures.translate(400, b'{"detail":"no such adapter"}').message == "no such adapter"
    assert failures.translate(422, b'{"detail":[{"loc":["n"]}],"message":"x"}').message == "x"


def test_long_words() -> None:
    """A page of words is cut."""
    assert len(failures.translate(400, said(message="a b " * 5000)).message) <= 500


def test_llamacpp_names_the_field() -> None:
    """llama.cpp's complaint about a schema, or about tokens, names the field that held it."""
    error = DIALECTS["llamacpp"].error(
        400, said(message="Unable to generate parser for this template. JSON schema: bad type")
    )
    assert (error.param, error.message) == ("response_format", "JSON schema: bad type")
    error = DIALECTS["llamacpp"].error(400, said(message="Prompt contains invalid tokens"))
    assert error.param == "prompt"


def test_our_engines_words_stay() -> None:
    """What an engine of ours refuses reaches the caller with code, field and numbers."""
    sent = ContextLengthExceeded("Too long.", param="input", counted_tokens=9, allowed_tokens=4)
    told = DIALECTS["oxlo"].error(400, sent.body())
    assert (type(told), told.as_dict()) == (type(sent), sent.as_dict())
