"""Starts of `oxlo serve` that do not go as one would like; what runs here is not compiled."""

import contextlib
import http.client
import re
import signal
import socket
from pathlib import Path

import pytest
from tests import remote
from tests.ports import free_port
from tests.scenario.served import MODEL, START_PATIENCE, Platform, command, until

pytestmark = pytest.mark.engine


def test_models_that_cannot_start(installed: Platform) -> None:
    """Other models are announced; for these, stderr has the reason and what to do."""
    nobody = f"http://127.0.0.1:{free_port()}"
    remote.write(installed.home, "away", nobody)
    remote.write(installed.home, "keyless", nobody, api_key_env="NO_SUCH_KEY")
    installed.start()
    assert f"Models: {MODEL}, minilm-l6\n" in installed.out
    assert "Connect call failed" in until(lambda: not_ready(installed, "away"), "away is told")
    reason = until(lambda: not_ready(installed, "keyless"), "keyless is told")
    assert "NO_SUCH_KEY" in reason
    assert "restart `oxlo serve`" in reason
    installed.complete()


def not_ready(platform: Platform, model: str) -> str:
    prefix = f"Not ready: {model}: "
    return "".join(line for line in platform.err.splitlines() if line.startswith(prefix))


def test_ctrl_c_before_ready(installed: Platform) -> None:
    """The new key is printed even so, because it would be lost otherwise."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        remote.write(installed.home, "slow", f"http://127.0.0.1:{silent.getsockname()[1]}")
        process = installed.begin(OXLO_STARTER="none")
        until(lambda: "loading slow" in installed.err, "loading")
        process.send_signal(signal.SIGINT)
        assert installed.ended() == 0
    assert re.fullmatch(r"API key: sk_\S{43}\nKeep the key now.*\n", installed.out)
    assert "Traceback" not in installed.err


def test_closed_output(tmp_path: Path) -> None:
    """A server whose output was closed goes on serving, and ends on SIGTERM."""
    port = free_port()
    with command(tmp_path, port, "serve", "--verbose", OXLO_STARTER="none") as process:
        try:
            assert process.stdout
            assert process.stderr
            said = process.stdout.readline
            until(lambda: "Stop with Ctrl-C." in said(), "ready", START_PATIENCE)
            process.stdout.close()
            process.stderr.close()
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
                connection.request("GET", "/healthz")
                assert connection.getresponse().status == 200
            process.terminate()
            assert process.wait(60) == 0
        finally:
            process.kill()
