"""A double of a mail server that stores received mails, for tests."""

import asyncio
import base64
from email import message_from_bytes
from email.message import Message
from types import TracebackType
from typing import Self


class SmtpDouble:
    """The server; `url` is its `OXLO_SMTP_URL`, with the required user and password."""

    def __init__(self, user: str = "oxlo", password: str = "p@ss") -> None:  # noqa: S107 -- of a double
        self._login = (user, password)
        self.mails: list[Message] = []
        #: Response to RCPT: a code other than 250 rejects the mail.
        self.verdict = "250 ok"
        self._server: asyncio.Server

    @property
    def url(self) -> str:
        """The server's URL, with credentials."""
        port = self._server.sockets[0].getsockname()[1]
        user, password = self._login
        return f"smtp://{user}:{password.replace('@', '%40')}@127.0.0.1:{port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        allowed = False
        writer.write(b"220 double\r\n")
        while line := (await reader.readline()).decode().strip():
            verb = line.split(" ")[0].upper()
            if verb == "EHLO":
                answer = "250-double\r\n250 AUTH PLAIN"
            elif verb == "AUTH":
                allowed = self._allows(line)
                answer = "235 ok" if allowed else "535 wrong"
            elif verb == "DATA":
                await self._data(reader, writer)
                answer = "250 kept"
            elif verb == "QUIT":
                writer.write(b"221 bye\r\n")
                break
            elif verb == "RCPT":
                answer = self.verdict if allowed else "530 log in first"
            else:
                answer = "250 ok"
            writer.write(answer.encode() + b"\r\n")
        writer.close()

    def _allows(self, line: str) -> bool:
        credentials = base64.b64decode(line.split(" ")[2]).decode().split("\0")
        return tuple(credentials[1:]) == self._login

    async def _data(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"354 go on\r\n")
        body = await reader.readuntil(b"\r\n.\r\n")
        self.mails.append(message_from_bytes(body.removesuffix(b".\r\n")))
