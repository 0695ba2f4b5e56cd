"""The child process around `vllm serve`.

It reads its configuration, one line of JSON, from stdin; starts the program on a private port with
a private key; says on stdout where it listens once it is well, in one line of JSON; and ends when
the program does. When stdin ends, the parent is gone: then this process and all that it started
are killed, so that no engine outlives its parent, however that died. The program's log is on
stderr.
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
#: A worker that outlives the program keeps its output open.
_LAST_WORDS_SECONDS = 1.0
_PR_SET_PDEATHSIG = 1


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is decided but the port."""

    #: The program and its arguments.
    command: tuple[str, ...]
    environment: dict[str, str]
    api_key: str
    port: int = 0


def main() -> None:
    """Read the configuration, start the program and stay with it until it ends."""
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
    if _well(program, port, config.api_key):
        say({"event": "listening", "address": f"http://127.0.0.1:{port}"})
    status = program.wait()
    relay.join(_LAST_WORDS_SECONDS)
    _end(status)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _start(config: Config, port: int) -> "subprocess.Popen[bytes]":
    """In our process group: whoever kills it reaches the program's own children, too."""
    own = config.environment | {"VLLM_API_KEY": config.api_key}
    return subprocess.Popen(
        [*config.command, "--host", "127.0.0.1", "--port", str(port)],
        env=environment(own, foreign=True),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=_tie_to_us if sys.platform == "linux" else None,
    )


def _tie_to_us() -> None:
    """Have the kernel kill the program when this process is killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _die_with_parent() -> None:
    sys.stdin.buffer.read()
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _relay(program: "subprocess.Popen[bytes]") -> None:
    """Pass its output on; a progress bar's every step is a line, so that the newest can be told.

    It gets no pipe of the parent's: a child of its own that lives on would keep that open.
    """
    assert program.stdout
    while data := os.read(program.stdout.fileno(), 65536):
        sys.stderr.buffer.write(data.replace(b"\r", b"\n"))
        sys.stderr.buffer.flush()


def _well(program: "subprocess.Popen[bytes]", port: int, api_key: str) -> bool:
    """Wait until it answers; False when it ended before."""
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
    os._exit(status)  # the thread that reads stdin would hold up the interpreter's own end


if __name__ == "__main__":
    main()
