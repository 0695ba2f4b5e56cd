"""Legacy completions in OpenAI's shape, with the old format of log probabilities."""

from typing import Any, Final

import msgspec

from oxlo.engines.dialect import Answer, Decided, Usage
from oxlo.engines.dialects import usage as counts
from oxlo.engines.dialects.chunks import Traits, check_index, finish_of, read
from oxlo.engines.dialects.events import encoded, parts
from oxlo.engines.dialects.failures import UNREADABLE
from oxlo.engines.dialects.shapes.chunks import Logprob, Logprobs
from oxlo.engines.dialects.shapes.completions import Legacy, TextChoice, TextChunk
from oxlo.engines.dialects.stream import Stream
from oxlo.errors import EngineFailed
from oxlo.wire.completions import CompletionRequest
from oxlo.wire.decode import sent

_encode: Final = msgspec.json.Encoder().encode
_chunk: Final = msgspec.json.Decoder(TextChunk)
_legacy: Final = msgspec.json.Decoder(Legacy)
_modern: Final = msgspec.json.Decoder(Logprobs)


class _Text:
    """One choice, accumulated."""

    def __init__(self, echo: str, alternatives: int) -> None:
        #: The prompt to prepend, until it has been sent.
        self.echo = echo
        self.text = ""
        self.logprobs: Legacy | None = None
        self.finish = ""
        self._offset = len(echo)
        self._alternatives = alternatives

    def add(self, choice: TextChoice, logprobs: Legacy | None) -> str:
        """Add a piece; returns the new text."""
        added, self.echo = self.echo + choice.text, ""
        self.text += added
        if logprobs is not None:
            self._keep(logprobs)
        if choice.finish_reason:
            self.finish = finish_of(choice.finish_reason)
        return added

    def _keep(self, more: Legacy) -> None:
        if self.logprobs is None:
            self.logprobs = Legacy(top_logprobs=[])
        kept = self.logprobs
        kept.tokens += more.tokens
        kept.token_logprobs += more.token_logprobs
        kept.text_offset += more.text_offset
        assert kept.top_logprobs is not None
        kept.top_logprobs += more.top_logprobs or []

    def legacy(self, modern: Logprobs) -> Legacy | None:
        """Convert chat log probabilities to the old format, with offsets from the text's start."""
        if not modern.content:
            return None
        old = Legacy(top_logprobs=[])
        for entry in modern.content:
            old.tokens.append(entry.token)
            old.token_logprobs.append(entry.logprob)
            old.text_offset.append(self._offset)
            self._offset += len(entry.token)
        old.top_logprobs = [self._likeliest(entry) for entry in modern.content]
        return old

    def _likeliest(self, entry: Logprob) -> dict[str, float]:
        """The requested number of likeliest tokens and, as in OpenAI's API, the chosen one."""
        top = entry.top_logprobs[: self._alternatives]
        return {each.token: each.logprob for each in top} | {entry.token: entry.logprob}


class _Writer:
    """Translates chunks; shared by whole responses and streams."""

    def __init__(self, request: CompletionRequest, decided: Decided, traits: Traits) -> None:
        self._request = request
        self._decided = decided
        self._traits = traits
        self._n = request.n
        self._by_choice: dict[int, Usage] = {}
        self._last: TextChunk
        self.usage = Usage()
        self.texts: dict[int, _Text] = {}

    def read(self, payload: bytes) -> list[dict[str, Any]]:
        """Read a chunk or response; returns its choices in OpenAI's shape. Raises ApiError."""
        self._last = chunk = read(_chunk, payload)
        if chunk.usage is not None:
            self._count(chunk, counts.parsed(chunk.usage))
        return [self._choice(choice) for choice in chunk.choices]

    def _choice(self, choice: TextChoice) -> dict[str, Any]:
        text = self._text(choice.index)
        logprobs = self._logprobs(choice, text)
        return {
            "text": text.add(choice, logprobs),
            "index": choice.index,
            "logprobs": logprobs,
            "finish_reason": text.finish if choice.finish_reason else None,
        }

    def _text(self, index: int) -> _Text:
        text = self.texts.get(index)
        if text is None:
            prompts = self._request.prompts
            check_index(index, len(prompts) * self._n)
            prompt = prompts[index // self._n]
            echo = (
                self._request.given.get("echo")
                and not self._traits.legacy
                and isinstance(prompt, str)
            )
            alternatives = self._request.given.get("logprobs", 0)
            text = self.texts[index] = _Text(str(prompt) if echo else "", alternatives)
        return text

    def _logprobs(self, choice: TextChoice, text: _Text) -> Legacy | None:
        if not sent(choice.logprobs):
            return None
        try:
            if self._traits.legacy:
                return _legacy.decode(choice.logprobs)
            return text.legacy(_modern.decode(choice.logprobs))
        except UNREADABLE:
            raise EngineFailed from None

    def _count(self, chunk: TextChunk, usage: Usage) -> None:
        """Record usage; if it is per choice, each prompt counts once and completions add up."""
        if not self._traits.usage_per_choice or len(chunk.choices) != 1:
            self.usage = usage
            return
        self._by_choice[chunk.choices[0].index] = usage
        self.usage = Usage()
        for prompt in range(len(self._request.prompts)):
            answers = [u for i, u in self._by_choice.items() if i // self._n == prompt]
            self.usage.prompt_tokens += max((u.prompt_tokens for u in answers), default=0)
            self.usage.cached_tokens += max((u.cached_tokens for u in answers), default=0)
            self.usage.completion_tokens += sum(u.completion_tokens for u in answers)

    def framed(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        """A response or chunk with these choices."""
        chunk = self._last
        return {
            "id": "cmpl-" + chunk.id.removeprefix("chatcmpl-").removeprefix("cmpl-"),
            "object": "text_completion",
            "created": chunk.created or self._decided.now,
            "model": self._decided.model.id,
            "system_fingerprint": self._traits.fingerprint(
                chunk.system_fingerprint, self._decided.build
            ),
            "choices": choices,
        }


def reply(body: bytes, request: CompletionRequest, decided: Decided, traits: Traits) -> Answer:
    """Translate a whole response; several choices may have come as a stream. Raises ApiError."""
    writer = _Writer(request, decided, traits)
    for payload in parts(body.lstrip()):
        if payload != _NOTHING:
            writer.read(payload)
    choices = [
        {
            "text": text.text,
            "index": index,
            "logprobs": text.logprobs,
            "finish_reason": text.finish or "stop",
        }
        for index, text in sorted(writer.texts.items())
    ]
    if not choices:
        raise EngineFailed
    shown = writer.framed(choices) | {"usage": counts.as_dict(writer.usage)}
    return Answer(_encode(shown), writer.usage, str(choices[0]["finish_reason"]))


#: What llama.cpp sends before the first token of a completion.
_NOTHING: Final = b"null"


class CompletionStream(Stream):
    """Translates an engine's completion stream to OpenAI's."""

    def __init__(self, request: CompletionRequest, decided: Decided, traits: Traits) -> None:
        super().__init__()
        self._writer = _Writer(request, decided, traits)
        self._wants_usage = request.include_usage

    def _event(self, payload: bytes) -> bytes:
        if payload == _NOTHING:
            return b""
        choices = self._writer.read(payload)
        self.usage = self._writer.usage
        return b"".join(map(self._written, choices))

    def _written(self, choice: dict[str, Any]) -> bytes:
        self.started = True
        self.pieces += bool(choice["text"])
        self.finish = choice["finish_reason"] or self.finish
        framed = self._writer.framed([choice])
        return encoded(framed | {"usage": None} if self._wants_usage else framed)

    def close(self) -> bytes:
        """The usage chunk, if requested."""
        if not self._wants_usage:
            return b""
        return encoded(self._writer.framed([]) | {"usage": counts.as_dict(self.usage)})
