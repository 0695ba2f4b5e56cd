"""A cheap client for whole responses, with blocking sockets and keep-alive connections."""

import re
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

#: Read size in bytes. Larger buffers are mapped and unmapped for each response, at 40 us or more.
_READ_BYTES = 64 * 1024
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


class Refused(Exception):
    """The response was an error."""


class Caller:
    """A connection."""

    def __init__(self, port: int, key: str, path: str, kind: str = "application/json") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._head = (
            f"POST {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {key}\r\n"
            f"content-type: {kind}\r\ncontent-length: "
        ).encode()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def call(self, body: bytes) -> bytes:
        """Send a request and return the response's body. Raises Refused."""
        self._socket.sendall(b"%b%d\r\n\r\n%b" % (self._head, len(body), body))
        response = b""
        while b"\r\n\r\n" not in response:
            response += self._more()
        head, _, rest = response.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not head.startswith(b"HTTP/1.1 200") or not length:
            raise Refused(response[:500].decode(errors="replace"))
        chunks, missing = [rest], int(length[1]) - len(rest)
        while missing:
            chunks.append(self._more())
            missing -= len(chunks[-1])
        return b"".join(chunks)

    def _more(self) -> bytes:
        data = self._socket.recv(_READ_BYTES)
        if not data:
            raise Refused("the connection was closed")
        return data


def seconds(callers: Sequence[Caller], bodies: Sequence[bytes]) -> float:
    """Measure the seconds that all bodies take, split among concurrent callers. Raises Refused."""
    with ThreadPoolExecutor(len(callers)) as threads:
        began = time.perf_counter()
        shares = [
            threads.submit(_send, caller, bodies[number :: len(callers)])
            for number, caller in enumerate(callers)
        ]
        for share in shares:
            share.result()
        return time.perf_counter() - began


def _send(caller: Caller, bodies: Sequence[bytes]) -> None:
    for body in bodies:
        caller.call(body)
