"""Sockets that only their user can reach."""

import socket
import stat
from pathlib import Path

import pytest

from oxlo.asgi import unixserver


def test_socket_is_private(tmp_path: Path) -> None:
    """Nobody but the owner may connect."""
    path = tmp_path / "a.sock"
    with unixserver.bind(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_dead_socket_is_replaced(tmp_path: Path) -> None:
    """What a killed process left behind does not stop the next one."""
    path = tmp_path / "a.sock"
    unixserver.bind(path).close()
    with unixserver.bind(path), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_living_socket_is_left_alone(tmp_path: Path) -> None:
    """Two processes on one socket: the second one says so."""
    path = tmp_path / "a.sock"
    with unixserver.bind(path), pytest.raises(unixserver.SocketInUse, match="another process"):
        unixserver.bind(path)
