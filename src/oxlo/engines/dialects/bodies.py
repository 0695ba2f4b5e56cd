"""An engine's request, rebuilt from what was given and what the platform decided."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from oxlo.catalogue import Model
from oxlo.catalogue.parameters import PerModel, parameters
from oxlo.engines.dialect import Decided
from oxlo.engines.dialects import pictures
from oxlo.wire.chat import ChatRequest
from oxlo.wire.sampling import Generation

#: Asks an engine for usage, whether or not the caller did: every receipt needs it.
WITH_USAGE: Final = {"include_usage": True}

#: OpenAI's fields, which every engine takes as they are.
SHARED = ("n", "stop", "seed", "logit_bias", "logprobs")
CHAT = (*SHARED, "messages", "top_logprobs", "response_format", "reasoning_effort")
COMPLETION = (*SHARED, "prompt", "echo")
#: Samplers, ours to an engine's.
SAMPLERS = {
    name: name for name in ("temperature", "top_p", "frequency_penalty", "presence_penalty")
}
#: Samplers that some kinds of engines have, and some have not.
_NOT_EVERYWHERE: Final = frozenset(
    ("top_k", "min_p", "typical_p", "tfs_z", "repeat_penalty", "mirostat_mode")
)
TOOLS: Final = ("tools", "tool_choice", "parallel_tool_calls")


class Words:
    """What one kind of engine may be sent of a request: an allow-list, in its words."""

    __slots__ = ("_names", "_samplers", "_usual")

    def __init__(self, fields: Iterable[str], samplers: Mapping[str, str]) -> None:
        """`samplers` are always said, as given or as published: an engine's own may differ."""
        self._samplers = dict(samplers)
        self._names = {name: name for name in fields} | self._samplers
        self._usual = PerModel(self._published)

    def _published(self, model: Model) -> dict[str, Any]:
        published = parameters(model)
        defaults = {w: published[n].default for n, w in self._samplers.items() if n in published}
        return {word: default for word, default in defaults.items() if default is not None}

    def write(self, request: Generation, decided: Decided) -> dict[str, Any]:
        """The engine's body, by field."""
        names, body = self._names, self._usual.of(decided.model).copy()
        body["model"] = decided.engine_model
        if decided.max_tokens is not None:
            body["max_tokens"] = decided.max_tokens
        if request.stream:
            body["stream"] = True
            body["stream_options"] = WITH_USAGE
        for name, value in request.given.items():
            word = names.get(name)
            if word is not None:
                body[word] = value
            elif name in _NOT_EVERYWHERE and value != _neutral.of(decided.model).get(name):
                decided.unheeded += (name,)
        return body


def _defaults(model: Model) -> dict[str, Any]:
    return {name: each.default for name, each in parameters(model).items()}


_neutral: Final = PerModel(_defaults)


def chat(words: Words, request: ChatRequest, decided: Decided) -> dict[str, Any]:
    """A chat's body; what is said and `tools` are the bytes that they came as."""
    body = words.write(request, decided)
    if request.summary.pictures:
        body["messages"] = pictures.marked(request)
    if request.has_tools:
        given = request.given
        body |= {name: given[name] for name in TOOLS if name in given}
    return body


encoded: Final = msgspec.json.Encoder().encode
