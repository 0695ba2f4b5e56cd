"""Engines cannot open connections."""

import socket
import subprocess
import sys

import pytest

CONNECT = """
import socket, sys, threading
from oxlo.serving.confine import no_connections

confined = no_connections()
port = int(sys.argv[1])
with socket.create_server(("127.0.0.1", 0)):
    pass  # to listen is allowed

def connect():
    try:
        socket.create_connection(("127.0.0.1", port), timeout=60).close()
    except PermissionError:
        print(confined, "refused")
    else:
        print(confined, "connected")

thread = threading.Thread(target=connect)
thread.start()
thread.join()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel has to help")
def test_no_connection_is_opened() -> None:
    """In threads neither; an unsupported kernel is reported."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        command = (sys.executable, "-c", CONNECT, str(server.getsockname()[1]))
        run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.strip() in ("True refused", "False connected")
