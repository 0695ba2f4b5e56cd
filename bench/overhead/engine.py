"""The fake engine: `upstream.c` with the responses of the platform's engine double."""

import http.client
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bench import CACHE
from bench.processes import LOAD, Failed, Process
from oxlo.testing.script import Script
from oxlo.testing.shapes import SHAPES, Call, Load, OpenAIShape

#: Events of a stream: the role, the content and the finish reason.
CHUNKS = 50
#: Token count reported for any prompt, that of a text of 64 KB.
TOKENS = 13_000
_TEXT = "The gateway stands between a caller and an engine, and costs as little as it can."
_USAGE = Script(text=_TEXT, prompt_tokens=200)


def model(shape: str) -> str:
    """Return the model name for a response shape, the same for all peers, so none rewrites it."""
    return f"bench-{shape}"


class Engine:
    """The running engine, shared by all peers."""

    def __init__(self, process: Process, port: int) -> None:
        self.process = process
        self.port = port
        self.address = f"http://127.0.0.1:{port}"

    def become(self, shape: str, pace_ms: float) -> None:
        """Switch to the responses of `shape`, with `pace_ms` between the events of a stream."""
        self._ask(f"/_shape/{shape}")
        self._ask(f"/_pace/{round(pace_ms * 1000)}")

    def chats(self) -> int:
        """Return the number of chats received so far."""
        return int(self._ask("/_chats"))

    def _ask(self, path: str) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        connection.request("GET", path)
        response = connection.getresponse().read()
        connection.close()
        return response


@contextmanager
def engine(folder: Path) -> Iterator[Engine]:
    """Build the engine, write its responses into `folder`, and run it. Raises Failed."""
    folders = [_write(folder / name, shape) for name, shape in SHAPES.items()]
    with Process([_built(), *folders], folder / "upstream.log", LOAD) as process:
        yield Engine(process, _port(process))


def _built() -> Path:
    source = Path(__file__).with_name("upstream.c")
    program = CACHE / "upstream"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        if not shutil.which("cc"):
            raise Failed("no C compiler (cc) found: apt install gcc")
        CACHE.mkdir(exist_ok=True)
        command = ["cc", "-O2", "-Wall", "-o", str(program), str(source)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"cc cannot build the engine: {done.stderr}")
    return program


def _port(process: Process) -> int:
    """Read the port that it prints when it is listening."""
    process.wait_for_text()
    try:
        return int(process.log.read_text())
    except ValueError:
        raise Failed(process.log_tail()) from None


def _write(folder: Path, shape: OpenAIShape) -> Path:
    """Write the response files of a shape, named by path as `upstream.c` expects."""
    folder.mkdir(parents=True)
    for name, text in _replies(shape).items():
        (folder / name).write_bytes(text)
    return folder


def _replies(shape: OpenAIShape) -> dict[str, bytes]:
    load = Load(model=model(shape.name), slots=1, context_length=131_072, outstanding=0, progress=0)
    count = {"count": TOKENS, "max_model_len": load.context_length, "tokens": list(range(TOKENS))}
    tokens = {"input_tokens": TOKENS, "object": "response.input_tokens"}
    return {
        "_health": b"{}",
        "_v1_models": _json(shape.models(load)),
        "_tokenize": _json(count | {"token_strs": None}),
        "_v1_chat_completions_input_tokens": _json(tokens),
        "_v1_chat_completions": _json(shape.whole(_call(shape, usage=False), _USAGE, _TEXT)),
        "stream": b"".join(_events(shape, _call(shape, usage=False))),
        "stream_usage": b"".join(_events(shape, _call(shape, usage=True))),
    }


def _call(shape: OpenAIShape, *, usage: bool) -> Call:
    return Call(
        id="chatcmpl-AbCdEfGhIjKlMnOpQrStUvWxYz012",
        created=1_795_392_000,
        model=model(shape.name),
        chat=True,
        n=1,
        include_usage=usage,
        continuous_usage=False,
    )


def _events(shape: OpenAIShape, call: Call) -> Iterator[bytes]:
    yield _event(shape.chunk(call, 0, shape.first_delta, None))
    for _ in range(CHUNKS - 2):
        yield _event(shape.chunk(call, 0, {"content": " word"}, None))
    yield _event(shape.chunk(call, 0, shape.last_delta, "stop"))
    usage = shape.usage_chunk(call, _USAGE, CHUNKS - 2)
    if usage:
        yield _event(usage)
    yield b"data: [DONE]\n\n"


def _event(value: object) -> bytes:
    return b"data: %b\n\n" % _json(value)


def _json(value: object) -> bytes:
    return msgspec.json.encode(value)
