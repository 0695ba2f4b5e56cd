"""The process that supervises `vllm serve`.

It reads one line of JSON, its configuration, from stdin; starts vLLM on a private port with a
private API key; writes its address to stdout as one line of JSON once it is healthy; and exits when
vLLM does. When stdin ends, the parent has died: this process and all its children are then killed,
so that no engine outlives its parent. vLLM's log goes to stderr.
"""

import contextlib
import ctypes
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
from typing import NoReturn

import msgspec

from oxlo.serving.channel import fail, say
from oxlo.settings import environment

_POLL_SECONDS = 0.25
_POLL_DEADLINE = 5.0
#: How long to wait for the last output: a worker that outlives vLLM keeps the pipe open.
_LAST_WORDS_SECONDS = 1.0
_PR_SET_PDEATHSIG = 1


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """All arguments except the port."""

    #: The executable and its arguments.
    command: tuple[str, ...]
    environment: dict[str, str]
    api_key: str
    port: int = 0


def main() -> None:
    """Read the configuration, start vLLM and wait until it exits."""
    config = msgspec.json.decode(sys.stdin.buffer.readline(), type=Config)
    port = config.port or _free_port()
    try:
        program = _start(config, port)
    except OSError as error:
        fail(f"{config.command[0]} cannot be started: {error.strerror}")
    signal.signal(signal.SIGTERM, lambda *_: program.terminate())
    threading.Thread(target=_die_with_parent, daemon=True).start()
    relay = threading.Thread(target=_relay, args=(program,), daemon=True)
    relay.start()
    if _healthy(program, port, config.api_key):
        say({"event": "listening", "address": f"http://127.0.0.1:{port}"})
    status = program.wait()
    relay.join(_LAST_WORDS_SECONDS)
    _end(status)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _start(config: Config, port: int) -> "subprocess.Popen[bytes]":
    """Start it in our process group, so that killing the group reaches its children, too."""
    own = config.environment | {"VLLM_API_KEY": config.api_key}
    return subprocess.Popen(
        [*config.command, "--host", "127.0.0.1", "--port", str(port)],
        env=environment(own, foreign=True),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=_kill_with_parent if sys.platform == "linux" else None,
    )


def _kill_with_parent() -> None:
    """Have the kernel kill vLLM if this process dies."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _die_with_parent() -> None:
    sys.stdin.buffer.read()
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _relay(program: "subprocess.Popen[bytes]") -> None:
    """Forward its output, each step of a progress bar as a line.

    vLLM does not inherit our stderr, because a surviving child would keep that pipe open.
    """
    assert program.stdout
    while data := os.read(program.stdout.fileno(), 65536):
        sys.stderr.buffer.write(data.replace(b"\r", b"\n"))
        sys.stderr.buffer.flush()


def _healthy(program: "subprocess.Popen[bytes]", port: int, api_key: str) -> bool:
    """Wait until it answers; False if it exits before."""
    while program.poll() is None:
        with contextlib.suppress(OSError, http.client.HTTPException):  # refused while it loads
            if _health(port, api_key) == http.client.OK:
                return True
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.wait(_POLL_SECONDS)
    return False


def _health(port: int, api_key: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_POLL_DEADLINE)
    with contextlib.closing(connection):
        connection.request("GET", "/health", headers={"Authorization": f"Bearer {api_key}"})
        return connection.getresponse().status


def _end(status: int) -> NoReturn:
    if status < 0:
        fail(f"vLLM was killed by signal {-status}")
    os._exit(status)  # a normal exit would wait for the thread that reads stdin


if __name__ == "__main__":
    main()
