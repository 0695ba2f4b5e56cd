"""Building an engine's request body from the client's fields and the platform's decisions."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from oxlo.catalogue import Model
from oxlo.catalogue.parameters import PerModel, parameters
from oxlo.engines.dialect import Decided
from oxlo.engines.dialects import pictures
from oxlo.wire.chat import ChatRequest
from oxlo.wire.sampling import Generation

#: Always request usage, because every receipt needs it.
WITH_USAGE: Final = {"include_usage": True}

#: OpenAI's fields that every engine accepts unchanged.
SHARED = ("n", "stop", "seed", "logit_bias", "logprobs")
CHAT = (*SHARED, "messages", "top_logprobs", "response_format", "reasoning_effort")
COMPLETION = (*SHARED, "prompt", "echo")
#: Samplers that every engine has; our name to the engine's.
SAMPLERS = {
    name: name for name in ("temperature", "top_p", "frequency_penalty", "presence_penalty")
}
#: Samplers that only some kinds of engines have.
_NOT_EVERYWHERE: Final = frozenset(
    ("top_k", "min_p", "typical_p", "tfs_z", "repeat_penalty", "mirostat_mode")
)
TOOLS: Final = ("tools", "tool_choice", "parallel_tool_calls")


class RequestFields:
    """The allow-list of one kind of engine: request fields that it may be sent, in its spelling."""

    __slots__ = ("_defaults", "_names", "_samplers")

    def __init__(self, fields: Iterable[str], samplers: Mapping[str, str]) -> None:
        """`samplers` are always sent, given or not, because the engine's defaults may differ."""
        self._samplers = dict(samplers)
        self._names = {name: name for name in fields} | self._samplers
        self._defaults = PerModel(self._published)

    def _published(self, model: Model) -> dict[str, Any]:
        published = parameters(model)
        defaults = {w: published[n].default for n, w in self._samplers.items() if n in published}
        return {name: default for name, default in defaults.items() if default is not None}

    def write(self, request: Generation, decided: Decided) -> dict[str, Any]:
        """The engine's request, as a dictionary of fields."""
        names, body = self._names, self._defaults.of(decided.model).copy()
        body["model"] = decided.engine_model
        if decided.max_tokens is not None:
            body["max_tokens"] = decided.max_tokens
        if request.stream:
            body["stream"] = True
            body["stream_options"] = WITH_USAGE
        for name, value in request.given.items():
            spelling = names.get(name)
            if spelling is not None:
                body[spelling] = value
            elif name in _NOT_EVERYWHERE and value != _neutral.of(decided.model).get(name):
                decided.unheeded += (name,)
        return body


def _defaults(model: Model) -> dict[str, Any]:
    return {name: each.default for name, each in parameters(model).items()}


_neutral: Final = PerModel(_defaults)


def chat(fields: RequestFields, request: ChatRequest, decided: Decided) -> dict[str, Any]:
    """A chat request; message contents and `tools` keep the client's bytes."""
    body = fields.write(request, decided)
    if request.summary.pictures:
        body["messages"] = pictures.marked(request)
    if request.has_tools:
        given = request.given
        body |= {name: given[name] for name in TOOLS if name in given}
    return body


encoded: Final = msgspec.json.Encoder().encode
