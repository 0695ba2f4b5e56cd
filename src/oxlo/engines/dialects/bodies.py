"""What may be sent to an engine: allow-lists, and the values that the platform decides."""

import msgspec
from msgspec import UNSET, UnsetType

from oxlo.catalogue import Model
from oxlo.catalogue.parameters import parameters
from oxlo.wire.chat import ResponseFormat

Raw = msgspec.Raw

#: Asks an engine for usage, whether or not the caller did: every receipt needs it.
WITH_USAGE = {"include_usage": True}


class Sampling(msgspec.Struct, kw_only=True, omit_defaults=True):
    """OpenAI's own fields, which every engine takes."""

    model: str
    stream: bool = False
    stream_options: dict[str, bool] | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    n: int | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: dict[str, float] | None = None


class ChatBody(Sampling, kw_only=True, omit_defaults=True):
    """A chat as OpenAI defines it."""

    messages: Raw
    logprobs: bool | None = None
    top_logprobs: int | None = None
    response_format: ResponseFormat | None = None
    tools: Raw | UnsetType = UNSET
    tool_choice: Raw | UnsetType = UNSET
    parallel_tool_calls: bool | None = None
    reasoning_effort: str | None = None


class CompletionBody(Sampling, kw_only=True, omit_defaults=True):
    """A completion as OpenAI defined it."""

    prompt: str | list[str] | list[int] | list[list[int]] | list[str | int | list[int]]
    logprobs: int | None = None
    echo: bool | None = None


_temperatures: dict[int, tuple[Model, float | None]] = {}


def temperature(asked: float | None, model: Model) -> float | None:
    """The caller's temperature, or the one that the model's `/parameters` publish."""
    if asked is not None:
        return asked
    found = _temperatures.get(id(model))
    if found is None or found[0] is not model:
        published = parameters(model).get("temperature")
        default = published.default if published is not None else None
        value = float(default) if isinstance(default, int | float) else None
        found = _temperatures[id(model)] = (model, value)
    return found[1]
