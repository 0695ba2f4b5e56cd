"""`oxlo serve` with a real model: from an empty folder to an answer, and through every mishap."""

import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.certificates import self_signed
from tests.ports import free_port
from tests.processes import ending
from tests.scenario.served import (
    MODEL,
    START_PATIENCE,
    Platform,
    command,
    descendants,
    is_alive,
    until,
)

from oxlo.settings import Settings

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[2]
#: More tokens than the model can bring before a test has done what it wants to do meanwhile.
LONG = 4000


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, starter: Path) -> Iterator[Platform]:
    """One platform for several tests, started from an empty home."""
    platform = Platform(tmp_path_factory.mktemp("running") / "home", starter)
    try:
        platform.start()
        # One test calls for as long as a replacement takes: more often than any plan's minute.
        args = ("accounts", "set-plan", "operator", "enterprise")
        assert command(platform.home, platform.port, *args).communicate()
        yield platform
    finally:
        platform.close()


def refused(home: Path, port: int) -> str:
    """The message of a server that must not start."""
    process = command(home, port, "serve")
    out, err = process.communicate(timeout=START_PATIENCE)
    assert (process.returncode, out) == (1, "")
    return err


def test_ready_lines(running: Platform) -> None:
    """The address and the key stand on lines of their own, through a pipe too."""
    lines = running.out.splitlines()
    assert f"Base URL: http://127.0.0.1:{running.port}/v1" in lines
    assert f"API key: {running.key}" in lines
    assert f"Models: {MODEL}, minilm-l6" in lines


def test_pasted_curl(running: Platform) -> None:
    """The printed command brings an answer as it stands."""
    if not shutil.which("curl"):
        pytest.skip("there is no curl here")
    pasted = running.between("Ask with curl:", "Or with Python")
    run = subprocess.run(["sh", "-c", pasted], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout)["choices"][0]["message"]["content"].strip()


def test_pasted_python(running: Platform) -> None:
    """The printed program brings an answer as it stands."""
    pasted = running.between("(pip install openai):", "Oxlo is ready.")
    run = subprocess.run(
        [sys.executable, "-c", pasted], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip()


def test_one_server_to_a_home(running: Platform) -> None:
    """A second one on the same folder is refused before it touches anything."""
    message = refused(running.home, free_port())
    assert message.count("\n") == 1
    assert f"another `oxlo serve` runs on {running.home}" in message


def test_port_in_use(running: Platform, tmp_path: Path) -> None:
    """The port and the way out are named."""
    message = refused(tmp_path, running.port)
    in_use = f"port {running.port} on 127.0.0.1 is in use"
    assert message == f"oxlo: {in_use}; set OXLO_PORT to another\n"


def test_client_hangs_up(running: Platform) -> None:
    """The slot is free at once, in the gateway and in the engine, and a receipt says why."""
    used, before = running.used_today(), running.progress()
    with running.counting(LONG) as stream:
        assert running.get("/v1/limits")["concurrency"]["in_use"] == 1
    until(lambda: running.get("/v1/limits")["concurrency"]["in_use"] == 0, "slot free")
    until(lambda: not running.progress().busy, "engine idle")
    assert running.progress().work - before.work < LONG
    receipt = running.receipt(stream.id)
    assert (receipt["outcome"], receipt["counted"]) == ("abandoned", False)
    assert running.used_today() == used


def is_error(event: str) -> bool:
    return "error" in json.loads(event)


def test_engine_killed_in_a_stream(running: Platform) -> None:
    """The stream ends with OpenAI's error event, nothing is charged, and a new engine answers."""
    used, before = running.used_today(), running.engine()
    with running.counting(LONG) as stream:
        running.kill("llamacpp_child")
        *_, last = stream.rest()
    error = json.loads(last)["error"]
    assert set(error) >= {"message", "type", "param", "code"}
    assert error["code"] == "engine_failed"
    assert running.receipt(stream.id)["outcome"] == "failed"
    assert running.used_today() == used
    until(lambda: running.engine().generation > before.generation, "a new engine")
    until(running.is_ready, "ready again")
    running.complete()
    assert running.used_today() == used + 1


def test_engine_replaced_while_it_serves(running: Platform) -> None:
    """A new engine takes over: no call fails or waits for a load, a stream at the old one ends."""
    before = running.engine()
    with running.counting(300) as stream:
        restart = command(running.home, running.port, "fleet", "restart", MODEL)
        while restart.poll() is None:
            running.complete()
        *_, finish, done = stream.rest()
    after = running.engine()
    lines = restart.communicate()[0].split("\n")
    states = [line.split()[1] for line in lines if line]
    assert (restart.returncode, done) == (0, "[DONE]"), lines
    assert not is_error(finish)
    assert (after.id, after.generation) == (before.id, before.generation + 1)
    assert after.address != before.address
    assert list(dict.fromkeys(states)) == ["starting", "warming", "ready", "draining", "stopped"]


def test_fleet_status(running: Platform) -> None:
    """Each engine with its slots and the memory of its process."""
    status = command(running.home, running.port, "fleet", "status", "--json")
    found = json.loads(status.communicate()[0])
    assert (status.returncode, found["gateways"]) == (0, ["g1"])
    chat = next(each for each in found["replicas"] if each["model"] == MODEL)
    assert (chat["state"], chat["slots_in_use"]) == ("ready", 0)
    assert chat["slots"] > 0
    if sys.platform == "linux":
        assert chat["memory_bytes"] > 50_000_000


def test_gateway_killed(running: Platform) -> None:
    """It is started again with the day's exact count and all receipts; the lost call is free."""
    answered, _ = running.complete()
    used, receipt = running.used_today(), running.receipt(answered)
    with running.counting(LONG) as stream:
        pid = running.kill("oxlo gateway")
        assert "[DONE]" not in stream.rest()
    until(running.is_ready, "ready again")
    assert not is_alive(pid)
    assert running.used_today() == used
    assert running.receipt(answered) == receipt
    assert running.receipt(stream.id)["outcome"] == "lost"
    running.complete()
    assert running.used_today() == used + 1


@pytest.mark.parametrize("name", ["oxlo control", "oxlo fleet", "oxlo media"])
def test_other_process_killed(running: Platform, name: str) -> None:
    """Known keys are answered meanwhile or soon after; receipts come back."""
    used = running.used_today()
    pid = running.kill(name)
    until(lambda: not is_alive(pid) and name in " ".join(running.descendants().values()), name)
    until(running.is_ready, "ready again")
    call, _ = until(lambda: answered(running), "an answer")
    assert running.used_today() == used + 1
    assert until(lambda: receipt_of(running, call), "receipt")["outcome"] == "answered"


def answered(platform: Platform) -> tuple[str, str] | None:
    try:
        return platform.complete()
    except AssertionError:
        return None


def receipt_of(platform: Platform, call: str) -> dict[str, object] | None:
    try:
        return platform.receipt(call)
    except AssertionError:
        return None


def test_sigterm_and_restart(running: Platform) -> None:
    """A running stream is finished and no process is left; the next start has key and counts."""
    assert running.process
    call, _ = running.complete()
    used = running.used_today()
    with running.counting(100) as stream:
        processes = running.descendants()
        running.process.send_signal(signal.SIGTERM)
        *rest, last = stream.rest()
    assert last == "[DONE]"
    assert not any(map(is_error, rest))
    assert running.ended() == 0
    assert len(processes) == 6  # gateway, control, fleet, media and two engines
    assert [pid for pid in processes if is_alive(pid)] == []

    running.start()
    assert "API key:" not in running.out
    assert "Keys: made earlier" in running.out
    assert running.used_today() == used + 1
    assert running.receipt(call)["outcome"] == "answered"
    assert running.receipt(stream.id)["outcome"] == "answered"


def test_server_itself_killed(running: Platform) -> None:
    """Its processes end with it, however it ended; the next start finds everything."""
    assert running.process
    call, _ = running.complete()
    used, processes = running.used_today(), running.descendants()
    running.process.kill()
    running.ended()
    until(lambda: not any(map(is_alive, processes)), "nobody left")
    running.start()
    assert running.used_today() == used
    assert running.receipt(call)["outcome"] == "answered"


def certify(home: Path, name: str) -> Path:
    """A certificate and its key for a host's name, in place of what was there; a copy of it."""
    cert, key = self_signed(home, name)
    shutil.copy(cert, home / f"{name}.pem")
    key.replace(home / "tls.key")
    cert.replace(home / "tls.pem")
    return home / f"{name}.pem"


def healthy(port: int, cert: Path) -> bool:
    """Whether the gateway answers a client that trusts this certificate alone."""
    trusting = ssl.create_default_context(cafile=str(cert))
    with socket.create_connection(("127.0.0.1", port)) as plain:
        try:
            with trusting.wrap_socket(plain, server_hostname=cert.stem) as secure:
                secure.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                return secure.recv(4096).startswith(b"HTTP/1.1 200 OK")
        except ssl.SSLCertVerificationError:
            return False


def health_check() -> list[str]:
    """The health check of the container image."""
    file = (ROOT / "deploy" / "Dockerfile").read_text()
    (found,) = re.findall(r"^HEALTHCHECK .*\n  CMD (\[.*\])$", file, re.MULTILINE)
    _, *arguments = json.loads(found)
    return [sys.executable, *arguments]


def test_https(installed: Platform) -> None:
    """A certificate for the public name is no obstacle, and a renewed one holds."""
    cert, home = certify(installed.home, "ai.example.com"), installed.home
    files = {"OXLO_TLS_CERT": str(home / "tls.pem"), "OXLO_TLS_KEY": str(home / "tls.key")}
    installed.start(**files, OXLO_STARTER="none")
    assert f"Base URL: https://127.0.0.1:{installed.port}/v1" in installed.out
    assert healthy(installed.port, cert)
    environ = os.environ | files | {"OXLO_PORT": str(installed.port)}
    until(lambda: subprocess.run(health_check(), env=environ).returncode == 0, "healthy")
    renewed = certify(home, "new.example.com")
    until(lambda: healthy(installed.port, renewed), "the renewed certificate")


def test_hangup_without_a_terminal(installed: Platform) -> None:
    """SIGHUP ends no service: each process logs it and goes on."""
    installed.start(OXLO_STARTER="none")
    until(lambda: logged(installed, "media", "media.ready"), "media")
    until(Settings(home=installed.home).replicas_file.exists, "fleet")
    assert installed.process
    processes = installed.descendants()
    for pid in (installed.process.pid, *processes):
        os.kill(pid, signal.SIGHUP)
    until(lambda: "SIGHUP: nothing to do" in installed.err, "serve")
    for name in ("gateway", "control", "fleet", "media"):
        until(lambda name=name: logged(installed, name, "hangup.ignored"), name)
    assert installed.descendants() == processes


def logged(platform: Platform, process: str, event: str) -> bool:
    """Whether a process has logged an event."""
    return f'"{event}"' in (platform.home / "logs" / f"{process}.log").read_text()


def test_terminal_that_closes(installed: Platform) -> None:
    """SIGHUP of a terminal ends the server in good order, and all that it has started."""
    # A process of its own holds the terminal: killing that closes it, as a window is closed.
    holder = "import pty, sys; pty.spawn(sys.argv[1:])"
    environ = {"OXLO_HOME": str(installed.home), "OXLO_PORT": str(installed.port)}
    started = subprocess.Popen(
        [sys.executable, "-c", holder, sys.executable, "-m", "oxlo", "serve"],
        env=os.environ | environ | {"OXLO_STARTER": "none"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with ending(started) as terminal:
        assert terminal.stdout
        said = terminal.stdout.readline
        until(lambda: "Stop with Ctrl-C." in said(), "ready", START_PATIENCE)
        processes = descendants(terminal.pid)
        terminal.kill()
    assert len(processes) == 5  # `oxlo serve`, gateway, control, fleet, media
    until(lambda: not any(map(is_alive, processes)), "nobody left")
    assert logged(installed, "gateway", "gateway.stopped")
