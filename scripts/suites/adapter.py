"""A proxy that replaces values in an unmodified suite's requests to the platform.

It adds the platform's key, so suites keep their own, and passes unknown requests through.
"""

import contextlib
import http.client
import json
import re
import sys
import threading
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from scripts.suites.served import Served, picture
from scripts.suites.values import VALUES, Values, adapted

_BOUNDARY = "adapted-by-the-proxy"
#: A model's name in the path.
_MODEL = re.compile(r"(?<=^/v1/models/)[^/?]+")
#: Headers that are not forwarded, because each side sets its own.
_OWN = {"host", "authorization", "content-length", "transfer-encoding", "connection"}


@contextlib.contextmanager
def between(served: Served, *, usable: bool) -> Iterator[str]:
    """Run a proxy and yield its base URL."""
    files = {"picture": picture(), "recording": served.recording if usable else b""}
    handler = type("Bound", (Handler,), {"served": served, "usable": usable, "files": files})
    server = Proxy(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Proxy(ThreadingHTTPServer):
    """A server that does not log disconnects, which tests of streams cause."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log errors except disconnects."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """A connection of a suite."""

    protocol_version = "HTTP/1.1"
    served: Served
    usable: bool
    files: dict[str, bytes]

    def answer(self) -> None:
        """Forward a request and return the whole response."""
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        kind = self.headers.get("content-type", "")
        values = VALUES.get(urlsplit(self.path).path.removeprefix("/v1"))
        if body and values is not None:
            body, kind = self._adapted(values, body, kind)
        if self.command == "GET":
            self.path = _MODEL.sub(self.served.model("chat") or "none", self.path)
        status, head, said = self._passed_on(body, kind)
        self.send_response(status)
        for name, value in head:
            if name.lower() not in _OWN:
                self.send_header(name, value)
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_POST = do_DELETE = answer  # noqa: N815 (the names that the library asks for)

    def _adapted(self, values: Values, body: bytes, kind: str) -> tuple[bytes, str]:
        model = self.served.model(values.ability)
        if kind.startswith("multipart/form-data"):
            return self._form(values, model, body, kind)
        sent = adapted(values, json.loads(body), model, usable=self.usable)
        return json.dumps(sent).encode(), kind

    def _form(self, values: Values, model: str | None, body: bytes, kind: str) -> tuple[bytes, str]:
        parts = read_form(body, kind)
        texts = {name: data.decode() for name, filename, data in parts if filename is None}
        kept = adapted(values, texts, model, usable=self.usable)
        made: list[Part] = [(name, None, str(value).encode()) for name, value in kept.items()]
        gone = values.without if self.usable else frozenset()
        for name, filename, data in parts:
            if filename is None or name in gone:
                continue
            kind_of_file = values.files.get(name) if self.usable else None
            made.append((name, filename, self.files[kind_of_file] if kind_of_file else data))
        return write_form(made), f"multipart/form-data; boundary={_BOUNDARY}"

    def _passed_on(self, body: bytes, kind: str) -> tuple[int, list[tuple[str, str]], bytes]:
        url = urlsplit(self.served.root)
        connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=300)
        head = {name: value for name, value in self.headers.items() if name.lower() not in _OWN}
        head |= {"authorization": f"Bearer {self.served.key}"}
        if body:
            head = {n: v for n, v in head.items() if n.lower() != "content-type"}
            head["content-type"] = kind
        try:
            connection.request(self.command, self.path, body or None, head)
            reply = connection.getresponse()
            return reply.status, reply.getheaders(), reply.read()
        finally:
            connection.close()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Log nothing, as the suite has its own report."""


#: Name, file name (None for text fields) and content.
Part = tuple[str, str | None, bytes]


def read_form(body: bytes, kind: str) -> list[Part]:
    """Parse the parts of a form."""
    whole = message_from_bytes(f"content-type: {kind}\r\n\r\n".encode() + body)
    return [_part(one) for one in whole.get_payload() if isinstance(one, Message)]


def _part(one: Message) -> Part:
    name = one.get_param("name", header="content-disposition")
    data = one.get_payload(decode=True)
    assert isinstance(data, bytes)
    return str(name), one.get_filename(), data


def write_form(parts: list[Part]) -> bytes:
    """Encode parts as a form."""
    pieces = []
    for name, filename, data in parts:
        said = f'form-data; name="{name}"' + (f'; filename="{filename}"' if filename else "")
        head = f"--{_BOUNDARY}\r\ncontent-disposition: {said}\r\n\r\n"
        pieces += [head.encode(), data, b"\r\n"]
    return b"".join([*pieces, f"--{_BOUNDARY}--\r\n".encode()])
