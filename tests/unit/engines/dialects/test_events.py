"""Events cut out of reads, and the mould for those that are alike."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oxlo.engines.dialects.events import MOST_BYTES, Cutter, payloads
from oxlo.engines.dialects.template import EventTemplate
from oxlo.errors import EngineFailed

STREAM = (
    b': hi\n\ndata: {"a":1}\n\nevent: x\ndata: {"b"\ndata: :2}\nid: 5\n\n'
    b'data:{"c":3}\n\n\n\ndata: 4'
)
WHOLE = [b'{"a":1}', b'{"b"\n:2}', b'{"c":3}']


@pytest.mark.parametrize("stream", [STREAM, STREAM.replace(b"\n", b"\r\n")])
def test_cut_anywhere(stream: bytes) -> None:
    """Events are the same however they are read; the last one waits."""
    for size in range(1, len(stream) + 1):
        cutter = Cutter()
        reads = [stream[i : i + size] for i in range(0, len(stream), size)]
        assert [p for read in reads for p in payloads(cutter.cut(read))] == WHOLE
        assert cutter.held == b"data: 4"


def test_a_byte_order_mark() -> None:
    """A stream may begin with one: its first event is read like any other."""
    assert payloads(Cutter().cut(b"\xef\xbb\xbf" + STREAM)) == WHOLE
    assert payloads([b'\xef\xbb\xbfdata: {"a":1}']) == [b'{"a":1}']


def test_a_large_event() -> None:
    """An image comes in many reads, and is one event; so is what follows it."""
    image = b"data: " + b"A" * 300_000
    stream = image + b"\r\n\r\ndata: 1\n\n"
    cutter = Cutter()
    reads = [stream[i : i + 40_000] for i in range(0, len(stream), 40_000)]
    assert [event for read in reads for event in cutter.cut(read)] == [image, b"data: 1"]
    assert cutter.held == b""


@pytest.mark.parametrize("size", [MOST_BYTES + 1, 50_000])
def test_endless(size: int) -> None:
    """What never ends is not kept, however it is read."""
    reads = [b"x" * size] * (MOST_BYTES // size + 1)
    with pytest.raises(EngineFailed):
        list(map(Cutter().cut, reads))


def payload(words: str, *, ascii_only: bool = False, **more: object) -> bytes:
    """An engine's event."""
    told = {"id": "1", "choices": [{"index": 0, "delta": {"content": words} | more}], "x": None}
    return json.dumps(told, separators=(",", ":"), ensure_ascii=ascii_only).encode()


def shown(words: str) -> bytes:
    """What the client gets for it."""
    told = json.dumps(words, ensure_ascii=False).encode()
    return b'data: {"model":"m","delta":{"content":%b},"usage":null}\n\n' % told


def mould() -> EventTemplate:
    """One that has seen an event."""
    made = EventTemplate()
    made.learn(payload("Hi"), "Hi", shown("Hi"))
    return made


def cast(made: EventTemplate, event: bytes) -> bytes | None:
    """What it makes of an event."""
    return made.apply(event, len(event))


@given(st.text())
def test_same_as_read(words: str) -> None:
    """Whatever the words, what leaves has the same JSON as if they had been read."""
    for ascii_only in (False, True):
        event = b"data: " + payload(words, ascii_only=ascii_only)
        out = cast(mould(), event)
        if b"\\u" in event:
            assert out is None
        else:
            assert out is not None
            assert json.loads(out[6:]) == json.loads(shown(words)[6:])


@pytest.mark.parametrize(
    "inside",
    [b'"', b'a","x":"b', b"\\", b"\\x", b"\\u0061", b"a\x01", b"a\nb", b"\xff", b"\xed\xa0\x80"],
)
def test_no_string(inside: bytes) -> None:
    """What is not the inside of one JSON string is not cast."""
    event = b"data: " + payload("WORDS").replace(b"WORDS", inside)
    assert cast(mould(), event) is None


def test_other_bytes() -> None:
    """An event that differs anywhere else is not cast."""
    event = b"data: " + payload("Hello")
    for at in range(len(event) - 1):
        if not event.find(b"Hello") <= at < event.find(b"Hello") + 5:
            assert cast(mould(), event[:at] + b"~" + event[at + 1 :]) is None
            assert cast(mould(), event[:at]) is None
    assert cast(mould(), event + b" ") is None
    assert cast(EventTemplate(), event) is None


def test_overlap() -> None:
    """The bytes before and after the words do not share any."""
    made = EventTemplate()
    made.learn(b'{"delta":{"content":""}}', "", b'data: {"delta":{"content":""}}\n\n')
    assert cast(made, b'data: {"delta":{"content":"}}') is None


@pytest.mark.parametrize(
    "told",
    [
        payload("\x7f", ascii_only=False).replace(b"\x7f", b"\\u007f"),
        b'{"delta": {"content":"a"}}',
        b'{"delta":{"content":"a"},"other":{"delta":{"content":"a"}}}',
        b'{"content":"a"}',
    ],
)
def test_not_made(told: bytes) -> None:
    """An event that is written in another way, or twice the same, makes no mould."""
    made = EventTemplate()
    made.learn(told, "a", shown("a"))
    assert cast(made, b"data: " + told) is None


def test_gives_up() -> None:
    """A stream whose events never are alike is not learnt from for ever."""
    made = EventTemplate()
    for number in range(50):
        made.learn(payload("a", obfuscation=number), "a", shown("a"))
    assert cast(made, b"data: " + payload("a", obfuscation=49)) is None
    assert cast(made, b"data: " + payload("b", obfuscation=15)) == shown("b")
