"""Load generation: wrk repeats a request on a number of connections."""

import shutil
import subprocess
from pathlib import Path
from typing import Literal

import msgspec

from bench.processes import LOAD, Failed, on_cpu

Kind = Literal["whole", "stream", "stream_usage"]

#: A machine-readable report for wrk; `status` counts responses above 399.
LUA = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer {key}"
local file = io.open("{body}", "rb")
wrk.body = file:read("*a")
file:close()

function done(summary, latency, requests)
  local e = summary.errors
  print(string.format(
    'RESULT {{"requests":%d,"seconds":%f,"p50_ms":%f,"p99_ms":%f,"refused":%d,"broken":%d}}',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    e.status, e.connect + e.read + e.write + e.timeout))
end
"""


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """The request and how it is sent."""

    model: str
    kind: Kind
    #: Body size in bytes.
    size: int
    connections: int
    port: int
    key: str


class Sent(msgspec.Struct, frozen=True):
    """The outcome; `refused` counts error statuses, `broken` counts failed connections."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    refused: int
    broken: int

    @property
    def errors(self) -> int:
        """Return the number of failed requests; no requests at all count as one failure."""
        return self.refused + self.broken or int(self.requests == 0)


def check() -> None:
    """Raise Failed if wrk is missing."""
    if not shutil.which("wrk"):
        raise Failed("wrk not found: apt install wrk")


def body(load: Load) -> bytes:
    """Build a chat of `size` bytes with max_tokens, as most clients send it."""
    fields = {"model": load.model, "max_tokens": 64, "messages": [_message("")]}
    if load.kind != "whole":
        fields["stream"] = True
    if load.kind == "stream_usage":
        fields["stream_options"] = {"include_usage": True}
    room = load.size - len(msgspec.json.encode(fields))
    words = "and so the whale swam on, far from any shore, " * (room // 40 + 1)
    return msgspec.json.encode(fields | {"messages": [_message(words[:room])]})


def _message(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def send(load: Load, seconds: float, folder: Path) -> Sent:
    """Send requests for `seconds`. Raises Failed if wrk fails."""
    (folder / "body").write_bytes(body(load))
    script = folder / "load.lua"
    script.write_text(LUA.format(key=load.key, body=folder / "body"))
    command = _command(load, seconds, script)
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=on_cpu(LOAD))
    results = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if not results:
        raise Failed(f"wrk: {done.stdout}{done.stderr}")
    return msgspec.json.decode(results[0].removeprefix("RESULT "), type=Sent)


def _command(load: Load, seconds: float, script: Path) -> list[str]:
    url = f"http://127.0.0.1:{load.port}/v1/chat/completions"
    wrk = ["wrk", "-t1", f"-c{load.connections}", f"-d{seconds:g}s", "--timeout", "60s"]
    return [*wrk, "-s", str(script), url]
