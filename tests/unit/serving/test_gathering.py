"""What is written in one turn of the loop leaves in one piece."""

import asyncio

from oxlo.serving.gathering import Gathering


class Recorded(asyncio.Transport):
    """Remembers what it was told."""

    def __init__(self) -> None:
        super().__init__({"peername": "somebody"})
        self.told: list[bytes | str] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.told.append(bytes(data))

    def close(self) -> None:
        self.told.append("closed")


async def test_one_turn_is_one_write() -> None:
    """Head and body of a reply go out together, those of the next turn after them."""
    recorded = Recorded()
    transport = Gathering(recorded, asyncio.get_running_loop())
    for piece in (b"head ", b"body", b""):
        transport.write(piece)
    assert recorded.told == []
    await asyncio.sleep(0)
    transport.write(b"more")
    await asyncio.sleep(0)
    assert recorded.told == [b"head body", b"more"]
    assert transport.get_extra_info("peername") == "somebody"


async def test_much_leaves_at_once() -> None:
    """Whoever writes on and on is slowed down by the reader, not at the end of the turn."""
    recorded = Recorded()
    transport = Gathering(recorded, asyncio.get_running_loop())
    transport.write(b"x" * 40_000)
    transport.write(b"y" * 40_000)
    assert [len(piece) for piece in recorded.told] == [80_000]
    await asyncio.sleep(0)
    assert len(recorded.told) == 1


async def test_close_loses_nothing() -> None:
    """What was written before is sent before."""
    recorded = Recorded()
    transport = Gathering(recorded, asyncio.get_running_loop())
    transport.write(b"last words")
    transport.close()
    await asyncio.sleep(0)
    assert recorded.told == [b"last words", "closed"]
