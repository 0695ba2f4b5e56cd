"""A running `oxlo serve`, and clients of its models."""

import http.client
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import engines, workload
from bench.calls import Refused
from bench.processes import Failed, Process, free_port

#: Idle timeout of client connections in this bench, in seconds.
IDLE = 2
_SAMPLES = 20


@dataclass(frozen=True)
class Serving:
    """A running `oxlo serve`."""

    port: int
    env: dict[str, str]

    def key(self) -> str:
        """Create a key of an account without requests."""
        self.cli("accounts", "create", "bench", "--plan", "enterprise")
        return self.cli("keys", "create", "--account", "bench", "--quiet")

    def cli(self, *arguments: str) -> str:
        """Run an `oxlo` command and return its output. Raises Failed."""
        command = [sys.executable, "-m", "oxlo", *arguments]
        done = subprocess.run(command, env=self.env, capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"oxlo {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout.strip()


@dataclass(frozen=True)
class Reply:
    """A response."""

    body: bytes
    #: Milliseconds to the whole response, and those of them in the platform's queue.
    took: float
    queued: float


class ModelClient:
    """A client of one model, with a keep-alive connection."""

    def __init__(self, port: int, key: str, calls: Iterable[workload.Call]) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port)
        self._connection.connect()
        self._used = time.monotonic()
        self._key = key
        self._calls = iter(calls)

    def close(self) -> None:
        """Disconnect; the next request includes the time to connect."""
        self._connection.close()

    def next(self) -> Reply:
        """Send the next request. Raises Refused."""
        return self.answer(next(self._calls))

    def key_lookup_ms(self) -> float:
        """Measure the additional milliseconds of the key's first use."""
        first, *others = (self.answer(workload.LIMITS).took for _ in range(1 + _SAMPLES))
        return first - sorted(others)[_SAMPLES // 2]

    def answer(self, call: workload.Call) -> Reply:
        """Send a request. Raises Refused."""
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": call.kind}
        self._keep()
        began = time.perf_counter()
        self._connection.request(call.method, call.path, call.content, headers)
        with self._connection.getresponse() as reply:
            body = reply.read()
            took = (time.perf_counter() - began) * 1000
            if reply.status != 200:
                raise Refused(body[:500].decode(errors="replace"))
            self._used = time.monotonic()
            return Reply(body, took, float(reply.headers.get("x-oxlo-queue-ms", 0)))

    def _keep(self) -> None:
        """Reconnect if the gateway may have closed the idle connection."""
        if self._connection.sock and time.monotonic() - self._used > IDLE / 2:
            self._connection.close()
            self._connection.connect()


@contextmanager
def serving(models: Sequence[str]) -> Iterator[Serving]:
    """Start `oxlo serve` with an empty home and wait until it is ready. Raises Failed."""
    for model in models:
        engines.files(model)
    with tempfile.TemporaryDirectory(prefix="oxlo-bench-") as name:
        home = Path(name)
        (home / "weights").symlink_to(engines.cache())
        port = free_port()
        env = {k: v for k, v in os.environ.items() if not k.startswith("OXLO_")}
        env |= {"OXLO_HOME": name, "OXLO_PORT": str(port), "OXLO_MODELS": ",".join(models)}
        env |= {"OXLO_IDLE_TIMEOUT": str(IDLE)}
        command = [sys.executable, "-m", "oxlo", "serve"]
        with Process(command, home / "serve.log", None, env) as process:
            _wait(process)
            yield Serving(port, env)


def _wait(process: Process, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        process.check()
        log = process.log.read_text()
        if "Not ready: " in log:
            raise Failed(log.partition("Not ready: ")[2])
        if "Ready after " in log:
            return
        time.sleep(0.05)
    raise Failed(f"not ready in {seconds:.0f} s: {process.log_tail()}")
