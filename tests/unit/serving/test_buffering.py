"""Writes of one event loop iteration are merged."""

import asyncio

from oxlo.serving.buffering import BufferingTransport


class Recorded(asyncio.Transport):
    """A transport that records what is written."""

    def __init__(self) -> None:
        super().__init__({"peername": "somebody"})
        self.written: list[bytes | str] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def close(self) -> None:
        self.written.append("closed")


async def test_one_iteration_is_one_write() -> None:
    """Head and body of a response are written together, later data after them."""
    recorded = Recorded()
    transport = BufferingTransport(recorded, asyncio.get_running_loop())
    for chunk in (b"head ", b"body", b""):
        transport.write(chunk)
    assert recorded.written == []
    await asyncio.sleep(0)
    transport.write(b"more")
    await asyncio.sleep(0)
    assert recorded.written == [b"head body", b"more"]
    assert transport.get_extra_info("peername") == "somebody"


async def test_large_writes_are_flushed_immediately() -> None:
    """So flow control slows down a fast writer within an iteration."""
    recorded = Recorded()
    transport = BufferingTransport(recorded, asyncio.get_running_loop())
    transport.write(b"x" * 40_000)
    transport.write(b"y" * 40_000)
    assert [len(chunk) for chunk in recorded.written] == [80_000]
    await asyncio.sleep(0)
    assert len(recorded.written) == 1


async def test_close_loses_nothing() -> None:
    """Buffered data is sent before the connection closes."""
    recorded = Recorded()
    transport = BufferingTransport(recorded, asyncio.get_running_loop())
    transport.write(b"last words")
    transport.close()
    await asyncio.sleep(0)
    assert recorded.written == [b"last words", "closed"]
