"""What the tests of dialects share: a call without sockets, from the client's body to its reply."""

import asyncio
from collections import defaultdict
from typing import Any

import msgspec
import pytest

from oxlo import catalogue
from oxlo.engines.dialect import Answer, Decided, Translator
from oxlo.engines.dialects import DIALECTS
from oxlo.testing.script import Script
from oxlo.testing.scripted import ScriptedReply
from oxlo.testing.shapes import SHAPES, Call
from oxlo.wire import chat, completions

MODEL = catalogue.load().resolve("smollm2-135m")
Json = dict[str, Any]


class Tape:
    """Keeps what an engine says."""

    def __init__(self) -> None:
        self.said = b""

    async def start(self) -> None: ...

    async def end(self) -> None: ...

    async def chunk(self, data: bytes) -> None:
        self.said += data

    async def whole(self, status: int, body: bytes) -> None:
        self.said = body


class Conversation:
    """One call in one dialect: what the engine is sent, what it says, what the client gets."""

    def __init__(
        self,
        dialect: str,
        *,
        tools_by: str = "native",
        legacy: bool = False,
        thoughts: str = "",
        **fields: Any,
    ):
        """`thoughts` is how a model that reasons writes them; "": it does not."""
        self.name = dialect
        self.dialect = DIALECTS[dialect]
        self.legacy = legacy
        content = {"prompt": "Hi"} if legacy else {"messages": [{"role": "user", "content": "Hi"}]}
        body = msgspec.json.encode({"model": "m"} | content | fields)
        self.request: Any = (completions if legacy else chat).decode(body)[0]
        model = msgspec.structs.replace(MODEL, tools=tools_by)
        if thoughts:
            abilities = model.abilities | {"reasoning"}
            model = msgspec.structs.replace(model, abilities=abilities, thoughts=thoughts)
        self.decided = Decided(model, "engine/name", 64, 1, 1_795_392_000)

    @property
    def sent(self) -> Json:
        """The engine's body."""
        build = self.dialect.completion if self.legacy else self.dialect.chat
        body: Json = msgspec.json.decode(build(self.request, self.decided).body)
        return body

    def told(self, script: Script) -> bytes:
        """What an engine that follows the script says to the body."""
        sent = self.sent
        kind = "cmpl" if self.legacy else "chatcmpl"
        wants = (sent.get("stream_options") or {}).get("include_usage", False)
        call = Call(
            id=f"{kind}-1", created=1_795_391_999, model=sent["model"], chat=not self.legacy,
            n=sent.get("n") or 1, include_usage=wants, continuous_usage=False,
        )  # fmt: skip
        tape = Tape()
        scripted = ScriptedReply(SHAPES[self.name], script, call, sent)
        stream = bool(sent.get("stream"))
        asyncio.run(scripted.perform(tape, defaultdict(asyncio.Event), stream))  # type: ignore[arg-type]
        return tape.said

    def translator(self) -> Translator:
        """A fresh translator."""
        make = self.dialect.completion_stream if self.legacy else self.dialect.chat_stream
        return make(self.request, self.decided)

    def heard(self, data: bytes, size: int = 0) -> tuple[bytes, Translator]:
        """The client's bytes for an engine's, fed in pieces; and the translator after them."""
        stream = self.translator()
        step = size or max(1, len(data))
        out = b"".join(stream.feed(data[i : i + step]) for i in range(0, len(data), step))
        return out + (stream.close() if stream.done else b""), stream

    def events(self, script: Script) -> list[Json]:
        """The client's events of a whole stream."""
        out, stream = self.heard(self.told(script))
        assert stream.error is None
        assert stream.done
        return events(out)

    def answer(self, said: bytes) -> Answer:
        """The whole reply."""
        read = self.dialect.completion_reply if self.legacy else self.dialect.chat_reply
        return read(said, self.request, self.decided)

    def reply(self, script: Script) -> Json:
        """The client's reply to an engine that follows the script."""
        body: Json = msgspec.json.decode(self.answer(self.told(script)).body)
        return body


def events(out: bytes) -> list[Json]:
    """The JSON of events."""
    assert not out or out.endswith(b"\n\n")
    parts = out.split(b"\n\n")[:-1]
    assert all(part.startswith(b"data: {") for part in parts)
    return [msgspec.json.decode(part[6:]) for part in parts]


@pytest.fixture(params=list(SHAPES))
def name(request: pytest.FixtureRequest) -> str:
    """Each dialect's name."""
    return str(request.param)


@pytest.fixture
def talk() -> type[Conversation]:
    """Makes a conversation."""
    return Conversation


@pytest.fixture
def read() -> Any:
    """Reads events."""
    return events
