"""A minimal HTTP client that can disconnect in the middle of a response."""

import asyncio

PATH = "/v1/chat/completions"


class Client:
    """A connection."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: str
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._key = key

    @classmethod
    async def connect(cls, port: int, key: str) -> "Client":
        """Connect."""
        return cls(*await asyncio.open_connection("127.0.0.1", port), key)

    async def send(self, body: bytes, head: str = "") -> None:
        """Send a request."""
        lines = (
            f"POST {PATH} HTTP/1.1\r\nhost: soak\r\nauthorization: Bearer {self._key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n{head}\r\n"
        )
        self._writer.write(lines.encode() + body)
        await self._writer.drain()

    async def reply(self) -> int:
        """Read a whole response and return its status."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next((line for line in lines if line.startswith(b"content-length:")), None)
        if length is not None:
            await self._reader.readexactly(int(length.split(b":")[1]))
        else:
            while size := int(await self._reader.readuntil(b"\r\n"), 16):
                await self._reader.readexactly(size + 2)
            await self._reader.readexactly(2)
        return int(head.split()[1])

    async def read_some(self, most: int) -> None:
        """Read a number of bytes, or less if the response ends."""
        seen = b""
        while len(seen) < most and not seen.endswith(b"0\r\n\r\n"):
            data = await self._reader.read(most - len(seen))
            if not data:
                return
            seen += data

    def leave(self) -> None:
        """Disconnect abruptly."""
        self._writer.transport.abort()
