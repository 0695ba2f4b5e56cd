"""Ports for servers that a test starts, restarts, or expects to be nobody's."""

import itertools
import os
import socket

#: Below the ports that Linux gives to whoever asks for any: what another test, in another process,
#: is given between our choice and our server's start is never one of these. Each process of tests
#: has a hundred of its own.
_CANDIDATES = itertools.count(20_000 + os.getpid() % 100 * 100)


def free_port() -> int:
    """A port on which nobody listens; each is given once."""
    return next(port for port in _CANDIDATES if _is_free(port))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
