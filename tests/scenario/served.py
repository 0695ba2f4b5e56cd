"""`oxlo serve` as a separate process."""

import asyncio
import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests import logs
from tests.certain import certain
from tests.ports import free_port
from tests.scenario.engines import progress
from tests.waiting import PATIENCE

from oxlo.engines.probe import Progress
from oxlo.fleet import registry
from oxlo.settings import Settings

#: Long enough for a start, in which several engines may load at once.
START_PATIENCE = 180.0
#: A base model goes on counting until it is cut.
COUNTING = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,"
MODEL = "smollm2-135m"


def until(done: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """Poll `done` until it is true, and return its result."""
    deadline = time.monotonic() + patience
    while not (answer := done()):
        assert time.monotonic() < deadline, f"not within {patience:g} s: {what}"
        time.sleep(0.02)
    return answer


def command(home: Path, port: int, *args: str, **environ: str) -> "subprocess.Popen[str]":
    """An `oxlo` command on a home, its output piped, and no terminal to it."""
    own = {"OXLO_HOME": str(home), "OXLO_PORT": str(port), "OXLO_LLAMACPP_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "oxlo", *args],
        env=os.environ | own | environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def descendants(ancestor: int) -> dict[int, str]:
    """Command lines of a process's children and theirs, by pid."""
    listing = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    )
    rows = [line.split(None, 2) for line in listing.stdout.splitlines()]
    found: dict[int, str] = {}
    parents = {ancestor}
    while parents:  # by generations: numbers begin anew, so a child may be listed first
        children = {int(pid): args for pid, parent, args in rows if int(parent) in parents}
        found |= children
        parents = set(children)
    return found


class Platform:
    """An installation in `home`, and its server while it runs."""

    def __init__(self, home: Path, weights: Path) -> None:
        self.home = home
        self.port = free_port()
        self.key = ""
        self._output: dict[str, str] = {"stdout": "", "stderr": ""}
        self._readers: list[threading.Thread] = []
        self.process: subprocess.Popen[str] | None = None
        self._logs = contextlib.ExitStack()
        self._logs.enter_context(logs.shown(home))
        home.mkdir(exist_ok=True)
        (home / "weights").symlink_to(weights)
        certain(home)

    @property
    def out(self) -> str:
        """Its standard output so far."""
        return self._output["stdout"]

    @property
    def err(self) -> str:
        """Its standard error so far."""
        return self._output["stderr"]

    def begin(self, **environ: str) -> "subprocess.Popen[str]":
        """Start the server; returns at once."""
        self._output = {"stdout": "", "stderr": ""}
        self.process = process = command(self.home, self.port, "serve", **environ)
        self._readers = [
            threading.Thread(target=self._read, args=(process, name), daemon=True)
            for name in ("stdout", "stderr")
        ]
        for reader in self._readers:
            reader.start()
        return process

    def start(self, **environ: str) -> None:
        """Start the server, and return once it reports that it is ready."""
        process = self.begin(**environ)

        def over() -> bool:
            return "Stop with Ctrl-C." in self.out or process.poll() is not None

        until(over, "ready", START_PATIENCE)
        assert process.poll() is None, self.err
        if made := re.search(r"^API key: (\S+)$", self.out, re.MULTILINE):
            self.key = made[1]

    def _read(self, process: "subprocess.Popen[str]", name: str) -> None:
        with getattr(process, name) as stream:
            for line in stream:
                self._output[name] += line

    def ended(self) -> int:
        """The server's exit status, once it and all its processes are gone."""
        assert self.process
        status = self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        return status

    def close(self) -> None:
        """Leave nothing running: its processes end with it, however it ends."""
        self._logs.close()
        if self.process:
            try:
                if self.process.poll() is None:
                    self.process.terminate()
                self.ended()
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.ended()
                raise

    def between(self, first: str, last: str) -> str:
        """The printed text between two lines, as somebody would copy it."""
        return self.out.partition(first)[2].partition(last)[0].strip()

    def descendants(self) -> dict[int, str]:
        """Command lines of the server's processes, by pid."""
        assert self.process
        return descendants(self.process.pid)

    def pid_of(self, words: str) -> int:
        """The process whose command line has these words."""
        return next(pid for pid, args in self.descendants().items() if words in args)

    def kill(self, words: str) -> int:
        """Kill it with SIGKILL and return its pid."""
        pid = self.pid_of(words)
        os.kill(pid, signal.SIGKILL)
        return pid

    @contextlib.contextmanager
    def request(self, path: str, body: object = None) -> Iterator[http.client.HTTPResponse]:
        """Send a request with the operator's key; the body of the response is yet to be read."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        try:
            data = None if body is None else json.dumps(body)
            connection.request("POST" if data else "GET", path, data, headers)
            yield connection.getresponse()
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        """The decoded body of a GET that must be answered."""
        with self.request(path) as reply:
            assert reply.status == 200, reply.read()
            return json.loads(reply.read())

    def receipt(self, call: str) -> Any:
        """A call's receipt."""
        return self.get(f"/v1/requests/{call}")

    def used_today(self) -> int:
        """Requests of the day's window."""
        return int(self.get("/v1/limits")["day"]["used"])

    def complete(self, max_tokens: int = 4) -> tuple[str, str]:
        """A short answer: the call's id and the text."""
        body = {"model": MODEL, "prompt": COUNTING, "max_tokens": max_tokens, "temperature": 0}
        with self.request("/v1/completions", body) as reply:
            answer = reply.read()
            assert reply.status == 200, answer
            text = json.loads(answer)["choices"][0]["text"]
            return reply.headers["x-request-id"], text

    @contextlib.contextmanager
    def counting(self, max_tokens: int) -> "Iterator[Stream]":
        """A stream that has begun to bring text and will run for a while."""
        body = {"model": MODEL, "prompt": COUNTING, "max_tokens": max_tokens, "temperature": 0}
        with self.request("/v1/completions", {**body, "stream": True}) as reply:
            assert reply.status == 200, reply.read()
            stream = Stream(reply)
            stream.next()
            yield stream

    def is_ready(self) -> bool:
        """Whether the gateway answers and every model does."""
        with (
            contextlib.suppress(OSError, http.client.HTTPException),
            self.request("/readyz") as reply,
        ):
            return bool(json.loads(reply.read())["status"] == "ready")
        return False

    def engine(self) -> registry.Replica:
        """The model's replica as the fleet last wrote it."""
        path = Settings(home=self.home).replicas_file
        return next(r for r in registry.read(path).replicas if r.model == MODEL)

    def progress(self) -> Progress:
        """What the engine itself reports."""
        return asyncio.run(progress(self.engine()))


class Stream:
    """The events of a streamed reply."""

    def __init__(self, reply: http.client.HTTPResponse) -> None:
        self._reply = reply
        self.id = reply.headers["x-request-id"]

    def next(self) -> str | None:
        """The next event's data; None at the end."""
        while line := self._reply.readline():
            if line.startswith(b"data: "):
                return line.removeprefix(b"data: ").decode().strip()
        return None

    def rest(self) -> list[str]:
        """All events still to come, up to the end or to where the connection was cut."""
        events = []
        with contextlib.suppress(ConnectionError, http.client.HTTPException):
            while (event := self.next()) is not None:
                events.append(event)
        return events


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
