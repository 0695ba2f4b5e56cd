"""An engine's request, rebuilt from what was read and what the platform decided."""

from typing import TypeVar

import msgspec

from oxlo.catalogue import Model
from oxlo.catalogue.parameters import PerModel, parameters
from oxlo.engines.dialect import Decided
from oxlo.engines.dialects import pictures
from oxlo.engines.dialects.shapes.bodies import ChatBody, CompletionBody, Defaults, Sampling
from oxlo.wire.completions import CompletionRequest
from oxlo.wire.shapes.chat import ChatRequest

#: Asks an engine for usage, whether or not the caller did: every receipt needs it.
WITH_USAGE = {"include_usage": True}

Number = TypeVar("Number", int, float)


def _defaults(model: Model) -> Defaults:
    published = {name: parameter.default for name, parameter in parameters(model).items()}
    return msgspec.convert(published, Defaults)


defaults = PerModel(_defaults)


def chat(request: ChatRequest, decided: Decided) -> ChatBody:
    """A chat's body, rebuilt from what was read; what is said and `tools` stay bytes."""
    body = ChatBody(
        model=decided.engine_model,
        messages=pictures.marked(request),
        max_tokens=decided.max_tokens,
        logprobs=request.logprobs,
        top_logprobs=request.top_logprobs,
        response_format=request.response_format,
        reasoning_effort=request.reasoning_effort,
    )
    if request.has_tools:
        body.tools = request.tools
        body.tool_choice = request.tool_choice
        body.parallel_tool_calls = request.parallel_tool_calls
    _sample(body, request, decided)
    return body


def completion(request: CompletionRequest, decided: Decided) -> CompletionBody:
    """As `chat`, for the legacy endpoint."""
    body = CompletionBody(
        model=decided.engine_model,
        prompt=request.prompt,
        max_tokens=decided.max_tokens,
        logprobs=request.logprobs,
        echo=request.echo,
    )
    _sample(body, request, decided)
    return body


def _sample(body: Sampling, request: ChatRequest | CompletionRequest, decided: Decided) -> None:
    usual = defaults(decided.model)
    body.temperature = either(request.temperature, usual.temperature)
    body.top_p = either(request.top_p, usual.top_p)
    body.frequency_penalty = either(request.frequency_penalty, usual.frequency_penalty)
    body.presence_penalty = either(request.presence_penalty, usual.presence_penalty)
    body.n = request.n
    body.stop = request.stop
    body.seed = request.seed
    body.logit_bias = request.logit_bias
    if request.stream is True:
        body.stream = True
        body.stream_options = WITH_USAGE


def either(asked: Number | None, usual: Number | None) -> Number | None:
    """The caller's wish, or what is published."""
    return usual if asked is None else asked


_encode = msgspec.json.Encoder().encode


def encoded(body: Sampling, more: msgspec.Struct | None = None) -> bytes:
    """A body, and an engine's own fields beside the others."""
    if more is None:
        return _encode(body)
    return b"%b,%b" % (_encode(body)[:-1], _encode(more)[1:])
