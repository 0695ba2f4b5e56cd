"""`oxlo models test` against a local server."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from oxlo.cli import app

REFUSAL = {"error": {"message": "This installation does not serve it.", "code": "not_here"}}


class Platform(ThreadingHTTPServer):
    """Fixed responses, by path."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Reply)
        self.replies: dict[str, tuple[int, object]] = {}
        self.keys: list[str] = []


class _Reply(BaseHTTPRequestHandler):
    server: Platform

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.keys.append(self.headers["Authorization"])
        status, told = self.server.replies.get(self.path, (503, REFUSAL))
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    """A local platform, and settings for it."""
    server = Platform()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("OXLO_HOME", str(tmp_path))
    monkeypatch.setenv("OXLO_PORT", str(server.server_port))
    monkeypatch.setenv("OXLO_API_KEY", "sk_given")
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def run(model: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["models", "test", model])
    return result.exit_code, result.stdout, result.stderr


def test_all_is_well(platform: Platform) -> None:
    """One line per ability; the configured key is used."""
    platform.replies["/v1/embeddings"] = (200, {"data": [{"embedding": [0.0] * 384}]})
    code, out, _ = run("minilm-l6")
    assert code == 0
    assert out.splitlines()[1].split()[:2] == ["embeddings", "ok"]
    assert "384 numbers" in out
    assert platform.keys == ["Bearer sk_given"]


def test_what_fails_is_told(platform: Platform) -> None:
    """Errors and unexpected responses are reported; the other tests still run."""
    platform.replies["/v1/audio/translations"] = (200, {"words": "no text"})
    code, out, _ = run("whisper-base")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert code == 1
    assert lines[1].startswith("transcription !! ")
    assert lines[1].endswith("503 not_here: This installation does not serve it.")
    assert "not as promised: KeyError('text')" in lines[2]


def test_nobody_there(monkeypatch: pytest.MonkeyPatch, platform: Platform) -> None:
    """Without a platform the error says how to start one."""
    monkeypatch.setenv("OXLO_PORT", "1")
    code, out, err = run("minilm-l6")
    assert (code, out) == (1, "")
    assert "is `oxlo serve` running?" in err
