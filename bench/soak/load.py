"""The traffic of the soak test, and its errors."""

import asyncio
import random
import time
from collections import Counter
from typing import Literal

import msgspec

from bench.overhead.engine import model
from bench.soak.client import Client

Kind = Literal["whole", "stream", "dropped", "repeat", "dry", "bad"]

#: Relative frequency of each kind; as many streams are dropped as are read to the end.
MIX: dict[Kind, int] = {"whole": 30, "stream": 30, "dropped": 30, "repeat": 4, "dry": 3, "bad": 3}


class Load:
    """Requests of all kinds, with counts of unexpected responses."""

    def __init__(self, port: int, key: str, ends: float) -> None:
        self._port = port
        self._key = key
        self._ends = ends
        self.sent: Counter[str] = Counter()
        self.wrong: Counter[str] = Counter()

    async def work(self, chance: random.Random) -> None:
        """Run a client that sends requests in sequence, on a keep-alive connection if possible."""
        kinds, weights = list(MIX), list(MIX.values())
        client: Client | None = None
        while time.monotonic() < self._ends:
            client = client or await Client.connect(self._port, self._key)
            kind = chance.choices(kinds, weights)[0]
            self.sent[kind] += 1
            try:
                reusable = await self._one(client, kind, chance)
            except (OSError, asyncio.IncompleteReadError) as error:
                self.wrong[f"{kind}: {type(error).__name__}"] += 1
                reusable = False
            if not reusable:
                client.leave()
                client = None
        if client is not None:
            client.leave()

    async def _one(self, client: Client, kind: Kind, chance: random.Random) -> bool:
        """Send a request; return whether the connection can be reused."""
        if kind == "dropped":
            await client.send(_body(stream=True))
            await client.read_some(chance.randrange(8_000))
            return False
        if kind in ("whole", "stream"):
            await self._expect(client, kind, 200, _body(stream=kind == "stream"))
        elif kind == "repeat":
            key = f"idempotency-key: {chance.getrandbits(64):x}\r\n"
            for _ in range(2):
                await self._expect(client, kind, 200, _body(), key)
        elif kind == "dry":
            await self._expect(client, kind, 200, _body(), "x-oxlo-dry-run: 1\r\n")
        else:
            await self._expect(client, kind, 400, _body(temperature=9))
            return False
        return True

    async def _expect(
        self, client: Client, kind: Kind, status: int, body: bytes, head: str = ""
    ) -> None:
        await client.send(body, head)
        got = await client.reply()
        if got != status:
            self.wrong[f"{kind}: {got}"] += 1


def _body(**fields: object) -> bytes:
    messages = [{"role": "user", "content": "x" * 600}]
    return msgspec.json.encode(
        {"model": model("openai"), "messages": messages, "max_tokens": 64} | fields
    )
