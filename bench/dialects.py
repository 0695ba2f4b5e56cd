"""CPU time of decoding requests and of translating engine responses to OpenAI's API.

    python -m bench.dialects

Each figure is the best of seven rounds, because noise only adds time. Chunks arrive one per read,
as from a slow engine, which is the most expensive case; the last columns have eight per read.
"""

import timeit
from collections.abc import Callable

import msgspec

from oxlo import catalogue
from oxlo.engines.dialect import Decided
from oxlo.engines.dialects import DIALECTS
from oxlo.wire import chat, completions

MODEL = catalogue.load().resolve("smollm2-135m")
NATIVE = msgspec.structs.replace(MODEL, tools="native")
HEAD = b'{"id":"chatcmpl-8f6cf0a94d4c4d0d","object":"chat.completion.chunk","created":1795392000,'
CHUNKS = {
    "openai": HEAD + b'"model":"double","service_tier":"default","system_fingerprint":"fp_1",'
    b'"choices":[{"index":0,"delta":{"content":" token"},"logprobs":null,"finish_reason":null}]}',
    "vllm": HEAD + b'"model":"double","choices":[{"index":0,"delta":{"content":" token"},'
    b'"logprobs":null,"finish_reason":null,"token_ids":null}]}',
    "llamacpp": b'{"choices":[{"finish_reason":null,"index":0,"delta":{"content":" token"}}],'
    b'"created":1795392000,"id":"chatcmpl-8f6cf0a94d4c4d0d","model":"double",'
    b'"system_fingerprint":"b1-abc","object":"chat.completion.chunk"}',
}
TOOL = {
    "type": "function",
    "function": {
        "name": "add",
        "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}},
    },
}


def body(size: int, **fields: object) -> bytes:
    """Build a chat of about `size` bytes."""
    messages = [
        {"role": "system", "content": "You are helpful."},
        {"role": "user", "content": "word " * (size // 5)},
    ]
    whole = {"model": MODEL.id, "messages": messages, "temperature": 0.5, "max_tokens": 100}
    return msgspec.json.encode(whole | {"stream": True} | fields)


def microseconds(run: Callable[[], object], calls: int = 20_000) -> float:
    """Measure CPU microseconds per call."""
    clock = timeit.time.process_time  # type: ignore[attr-defined]
    return min(timeit.repeat(run, number=calls, repeat=7, timer=clock)) / calls * 1e6


def decoding() -> None:
    """Decode bytes to a request."""
    print(f"{'decode':32} {'us':>7}")
    for name, raw in (
        ("chat, 1 KB", body(800)),
        ("chat, 1 KB, with a tool", body(800, tools=[TOOL])),
        ("chat, 1 KB, with unknown field", body(800, ignore_eos=True)),
        ("chat, 71 KB", body(71_000)),
    ):
        calls = 20_000 if len(raw) < 9000 else 2000
        took = microseconds(lambda: chat.decode(raw), calls)  # noqa: B023
        print(f"{name:32} {took:7.2f}")
    legacy = msgspec.json.encode({"model": "m", "prompt": "word " * 160})
    print(f"{'completions, 1 KB':32} {microseconds(lambda: completions.decode(legacy)):7.2f}")


def building() -> None:
    """Encode a request as an engine's body."""
    print(f"\n{'body, 1 KB':32} {'us':>7}")
    for name, dialect in DIALECTS.items():
        for words, fields in (("", {}), (" with a tool", {"tools": [TOOL]})):
            request, _ = chat.decode(body(800, **fields))
            decided = Decided(NATIVE, "double", 100, 1, 1)
            took = microseconds(lambda: dialect.chat(request, decided))  # noqa: B023
            print(f"{name + words:32} {took:7.2f}")


def streaming() -> None:
    """Translate one chunk in the middle of a stream."""
    print(f"\n{'chunk':32} {'us':>7} {'8/read':>7} {'usage':>7} {'8/read':>7}")
    for name in DIALECTS:
        took = [chunk(name, wants, many) for wants in (False, True) for many in (1, 8)]
        print(f"{name:32} " + " ".join(f"{each:7.2f}" for each in took))


def chunk(name: str, wants_usage: bool, many: int) -> float:
    """Translate one chunk, with `many` chunks per read."""
    options = {"include_usage": wants_usage}
    request, _ = chat.decode(body(100, stream_options=options))
    stream = DIALECTS[name].chat_stream(request, Decided(NATIVE, "double", 100, 1, 1))
    content = CHUNKS[name][:-1] + b',"usage":null}' if name == "openai" else CHUNKS[name]
    event = b"data: %b\n\n" % content
    stream.feed(event)
    read = event * many
    assert b" token" in stream.feed(event)
    return microseconds(lambda: stream.feed(read)) / many


def main(arguments: list[str]) -> int:
    """Print three tables."""
    decoding()
    building()
    streaming()
    return 0


if __name__ == "__main__":
    main([])
