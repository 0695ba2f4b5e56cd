"""llama.cpp's legacy completions, written as OpenAI's: log probabilities in their old shape."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from oxlo.engines.dialect import Answer, Decided, Usage
from oxlo.engines.dialects import failures
from oxlo.engines.dialects.chunks import Logprobs, fingerprint, usage_shown
from oxlo.engines.dialects.events import DONE, Cutter, encoded, payloads
from oxlo.engines.dialects.openai import RawUsage
from oxlo.errors import ApiError, EngineFailed
from oxlo.wire.completions import CompletionRequest

_encode = msgspec.json.Encoder().encode


class _Choice(msgspec.Struct):
    text: str = ""
    index: int = 0
    logprobs: Logprobs | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    id: str = ""
    created: int = 0
    system_fingerprint: str = ""
    usage: RawUsage | None = None
    error: msgspec.Raw | UnsetType = UNSET


_chunk = msgspec.json.Decoder(_Chunk)


def _read(payload: bytes) -> _Chunk:
    try:
        chunk = _chunk.decode(payload)
    except msgspec.DecodeError:
        raise EngineFailed from None
    if not isinstance(chunk.error, UnsetType):
        raise failures.in_stream(payload)
    if chunk.choices is None:
        raise EngineFailed
    return chunk


class _Text:
    """One choice as it grows."""

    def __init__(self, echo: str) -> None:
        self.text = echo
        self.echo = echo
        self.offset = len(echo)
        self.legacy: dict[str, list[Any]] = {}
        self.finish: str | None = None

    def logprobs(self, told: Logprobs | None) -> dict[str, Any] | None:
        """Chat's log probabilities in the legacy shape, offsets counted from the text's start."""
        if told is None or not told.content:
            return None
        shown: dict[str, list[Any]] = {
            "tokens": [entry.token for entry in told.content],
            "token_logprobs": [entry.logprob for entry in told.content],
            "top_logprobs": [
                {top.token: top.logprob for top in entry.top_logprobs} for entry in told.content
            ],
            "text_offset": [],
        }
        for entry in told.content:
            shown["text_offset"].append(self.offset)
            self.offset += len(entry.token)
        for key, values in shown.items():
            self.legacy.setdefault(key, []).extend(values)
        return shown


class _Writer:
    """What both forms of a reply share."""

    def __init__(self, request: CompletionRequest, decided: Decided) -> None:
        self._request = request
        self._decided = decided
        self._prompt_tokens: dict[int, RawUsage] = {}
        self.usage = Usage()
        self.texts: dict[int, _Text] = {}

    def text(self, index: int) -> _Text:
        """The choice of this index."""
        if index not in self.texts:
            prompt = self._request.prompts[index // (self._request.n or 1)]
            echo = prompt if self._request.echo and isinstance(prompt, str) else ""
            self.texts[index] = _Text(echo)
        return self.texts[index]

    def add_usage(self, index: int, told: RawUsage) -> None:
        """Each choice tells its own; a prompt is counted once, however many choices it has."""
        self._prompt_tokens[index // (self._request.n or 1)] = told
        prompts = [usage.counted() for usage in self._prompt_tokens.values()]
        self.usage.prompt_tokens = sum(usage.prompt_tokens for usage in prompts)
        self.usage.cached_tokens = sum(usage.cached_tokens for usage in prompts)
        self.usage.completion_tokens += told.completion_tokens or 0

    def head(self, chunk: _Chunk) -> dict[str, Any]:
        """The fields around the choices."""
        return {
            "id": "cmpl-" + chunk.id.removeprefix("chatcmpl-").removeprefix("cmpl-"),
            "object": "text_completion",
            "created": chunk.created or self._decided.now,
            "model": self._decided.model.id,
            "system_fingerprint": fingerprint(chunk.system_fingerprint),
        }


def reply(body: bytes, request: CompletionRequest, decided: Decided) -> Answer:
    """A whole reply; several choices came as a stream. Raises ApiError."""
    writer = _Writer(request, decided)
    if body.lstrip().startswith(b"data:"):
        events = payloads(body.replace(b"\r", b""))
        if events[-1] != DONE:
            raise EngineFailed
        chunks = [_read(event) for event in events[:-1] if event != b"null"]
    else:
        chunks = [_read(body)]
    for chunk in chunks:
        _gather(writer, chunk)
    return _answer(writer, chunks[-1])


def _gather(writer: _Writer, chunk: _Chunk) -> None:
    for choice in chunk.choices or ():
        text = writer.text(choice.index)
        text.text += choice.text
        text.logprobs(choice.logprobs)
        text.finish = choice.finish_reason or text.finish
        if chunk.usage is not None:
            writer.add_usage(choice.index, chunk.usage)


def _answer(writer: _Writer, last: _Chunk) -> Answer:
    choices = [
        {
            "text": text.text,
            "index": index,
            "logprobs": text.legacy or None,
            "finish_reason": text.finish or "stop",
        }
        for index, text in sorted(writer.texts.items())
    ]
    if not choices:
        raise EngineFailed
    shown = writer.head(last) | {"choices": choices, "usage": usage_shown(writer.usage)}
    return Answer(_encode(shown), writer.usage, str(choices[0]["finish_reason"]))


class CompletionStream:
    """Turns llama.cpp's completion stream into OpenAI's."""

    def __init__(self, request: CompletionRequest, decided: Decided) -> None:
        self.started = False
        self.done = False
        self.error: ApiError | None = None
        self.finish = ""
        self._writer = _Writer(request, decided)
        self._wants_usage = request.include_usage
        self._cutter = Cutter()
        self._last = _Chunk()

    @property
    def usage(self) -> Usage:
        """Tokens so far."""
        return self._writer.usage

    def feed(self, data: bytes) -> bytes:
        """Translate one read."""
        return b"".join(map(self._event, payloads(self._cutter.whole(data))))

    def _event(self, payload: bytes) -> bytes:
        if self.done or self.error is not None or payload == b"null":
            return b""
        if payload == DONE:
            self.done = True
            return b""
        try:
            self._last = chunk = _read(payload)
        except ApiError as error:
            self.error = error
            return b""
        return b"".join(self._choice(chunk, choice) for choice in chunk.choices or ())

    def _choice(self, chunk: _Chunk, choice: _Choice) -> bytes:
        self.started = True
        known = choice.index in self._writer.texts
        text = self._writer.text(choice.index)
        if chunk.usage is not None:
            self._writer.add_usage(choice.index, chunk.usage)
        self.finish = choice.finish_reason or self.finish
        shown = {
            "text": choice.text if known else text.echo + choice.text,
            "index": choice.index,
            "logprobs": text.logprobs(choice.logprobs),
            "finish_reason": choice.finish_reason,
        }
        return encoded(self._framed(chunk, [shown], None))

    def _framed(
        self, chunk: _Chunk, choices: list[dict[str, Any]], usage: dict[str, Any] | None
    ) -> dict[str, Any]:
        framed = self._writer.head(chunk) | {"choices": choices}
        return framed | {"usage": usage} if self._wants_usage else framed

    def close(self) -> bytes:
        """The usage chunk, when it was asked for."""
        if not self._wants_usage:
            return b""
        return encoded(self._framed(self._last, [], usage_shown(self.usage)))
