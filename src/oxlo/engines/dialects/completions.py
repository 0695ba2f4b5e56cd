"""Legacy completions, written as OpenAI's: log probabilities in their old shape."""

from typing import Any, Final

import msgspec

from oxlo.engines.dialect import Answer, Decided, Usage
from oxlo.engines.dialects import usage as counts
from oxlo.engines.dialects.chunks import Ways, check_index, finish_of, read
from oxlo.engines.dialects.events import encoded, parts
from oxlo.engines.dialects.failures import UNREADABLE
from oxlo.engines.dialects.shapes.chunks import Logprobs
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
    """One choice as it grows."""

    def __init__(self, echo: str) -> None:
        #: Not told yet: what stands before the engine's words.
        self.echo = echo
        self.text = ""
        self.logprobs: Legacy | None = None
        self.finish = ""
        self._offset = len(echo)

    def add(self, choice: TextChoice, logprobs: Legacy | None) -> str:
        """Take in a piece; returns the text that it adds."""
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

    def aged(self, told: Logprobs) -> Legacy | None:
        """Chat's log probabilities in the old shape, offsets counted from the text's start."""
        if not told.content:
            return None
        aged = Legacy(top_logprobs=[])
        for entry in told.content:
            aged.tokens.append(entry.token)
            aged.token_logprobs.append(entry.logprob)
            aged.text_offset.append(self._offset)
            self._offset += len(entry.token)
        aged.top_logprobs = [{t.token: t.logprob for t in e.top_logprobs} for e in told.content]
        return aged


class _Writer:
    """What both forms of a reply share."""

    def __init__(self, request: CompletionRequest, decided: Decided, ways: Ways) -> None:
        self._request = request
        self._decided = decided
        self._ways = ways
        self._n = request.n
        self._by_choice: dict[int, Usage] = {}
        self._last: TextChunk
        self.usage = Usage()
        self.texts: dict[int, _Text] = {}

    def read(self, payload: bytes) -> list[dict[str, Any]]:
        """Take in a chunk or a reply; returns its choices as OpenAI shows them. Raises ApiError."""
        self._last = chunk = read(_chunk, payload)
        if chunk.usage is not None:
            self._count(chunk, counts.counted(chunk.usage))
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
                and not self._ways.legacy
                and isinstance(prompt, str)
            )
            text = self.texts[index] = _Text(str(prompt) if echo else "")
        return text

    def _logprobs(self, choice: TextChoice, text: _Text) -> Legacy | None:
        if not sent(choice.logprobs):
            return None
        try:
            if self._ways.legacy:
                return _legacy.decode(choice.logprobs)
            return text.aged(_modern.decode(choice.logprobs))
        except UNREADABLE:
            raise EngineFailed from None

    def _count(self, chunk: TextChunk, told: Usage) -> None:
        """The whole answer's usage, or that of one choice: its prompt has one, all answers many."""
        if not self._ways.usage_per_choice or len(chunk.choices) != 1:
            self.usage = told
            return
        self._by_choice[chunk.choices[0].index] = told
        self.usage = Usage()
        for prompt in range(len(self._request.prompts)):
            answers = [u for i, u in self._by_choice.items() if i // self._n == prompt]
            self.usage.prompt_tokens += max((u.prompt_tokens for u in answers), default=0)
            self.usage.cached_tokens += max((u.cached_tokens for u in answers), default=0)
            self.usage.completion_tokens += sum(u.completion_tokens for u in answers)

    def framed(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        """A reply or a chunk with these choices."""
        chunk = self._last
        return {
            "id": "cmpl-" + chunk.id.removeprefix("chatcmpl-").removeprefix("cmpl-"),
            "object": "text_completion",
            "created": chunk.created or self._decided.now,
            "model": self._decided.model.id,
            "system_fingerprint": self._ways.fingerprint(
                chunk.system_fingerprint, self._decided.build
            ),
            "choices": choices,
        }


def reply(body: bytes, request: CompletionRequest, decided: Decided, ways: Ways) -> Answer:
    """A whole reply; several choices may have come as a stream. Raises ApiError."""
    writer = _Writer(request, decided, ways)
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
    shown = writer.framed(choices) | {"usage": counts.shown(writer.usage)}
    return Answer(_encode(shown), writer.usage, str(choices[0]["finish_reason"]))


#: What llama.cpp says before the first token of a completion.
_NOTHING: Final = b"null"


class CompletionStream(Stream):
    """Turns an engine's completion stream into OpenAI's."""

    def __init__(self, request: CompletionRequest, decided: Decided, ways: Ways) -> None:
        super().__init__()
        self._writer = _Writer(request, decided, ways)
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
        """The usage chunk, when it was asked for."""
        if not self._wants_usage:
            return b""
        return encoded(self._writer.framed([]) | {"usage": counts.shown(self.usage)})
