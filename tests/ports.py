"""Ports for servers in tests."""

import itertools
import os
import socket

#: Below Linux's ephemeral ports, so no other process is assigned one between our choice and the
#: server's start. Each test process has a range of a hundred.
_CANDIDATES = itertools.count(20_000 + os.getpid() % 100 * 100)


def free_port() -> int:
    """Return a free port, never the same twice."""
    return next(port for port in _CANDIDATES if _is_free(port))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
