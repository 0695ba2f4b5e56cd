"""Requests that compete for a model, and their waiting times."""

import asyncio
import random
import time
from dataclasses import dataclass, field

import msgspec

from bench import machine
from bench.installation import Installation
from bench.processes import Failed

#: Words of a typical prompt, and of a response.
SHORT, ANSWER = 50, 16

PLANS = """
[plan.top]
name = "Top"
tiers = ["free", "pro", "premium"]
queue = "highest"
queue_wait = 600

[plan.low]
name = "Low"
tiers = ["free", "pro", "premium"]
queue = "best_effort"
queue_wait = 600
"""


@dataclass
class Crowd:
    """Requests that compete for an engine, with waiting times as (sent at, seconds)."""

    waits: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    answered: int = 0

    def p95(self, who: str) -> float:
        """In seconds."""
        waits = sorted(wait for _, wait in self.waits[who])
        return waits[int(len(waits) * 0.95)]

    def longest(self, who: str) -> float:
        """In seconds."""
        return max(wait for _, wait in self.waits[who])


class Place:
    """A client of a model at the gateway."""

    def __init__(
        self, ours: Installation, model: str, seconds: float, answer: int = ANSWER
    ) -> None:
        """Send requests for `seconds` from now; each generates `answer` tokens."""
        self.model = model
        self.answer = answer
        self.until = time.monotonic() + seconds
        self.crowd = Crowd()
        self._port = ours.port

    async def call(self, who: str, key: str, words: int) -> None:
        """Send a request and record its waiting time under `who`."""
        sent = time.monotonic()
        body = _body(self.model, words, self.answer)
        head = await _head(self._port, key, body)
        if b" 200 " not in head[:20]:
            raise Failed(head[:300].decode(errors="replace"))
        waited = int(head.partition(b"x-oxlo-queue-ms: ")[2].partition(b"\r")[0]) / 1000
        self.crowd.waits.setdefault(who, []).append((sent, waited))
        self.crowd.answered += 1

    async def at_rate(self, who: str, key: str, rate: float, words: int = SHORT) -> None:
        """Send requests at random intervals, on average `rate` per second (open loop)."""
        chance = random.Random(who)
        async with asyncio.TaskGroup() as calls:
            while time.monotonic() < self.until:
                calls.create_task(self.call(who, key, words))
                await asyncio.sleep(chance.expovariate(rate))

    async def at_once(self, who: str, key: str, number: int, words: int = SHORT) -> None:
        """Keep `number` requests in flight (closed loop)."""

        async def one() -> None:
            while time.monotonic() < self.until:
                await self.call(who, key, words)

        await asyncio.gather(*(one() for _ in range(number)))


def _body(model: str, words: int, answer: int) -> bytes:
    text = " ".join(["whale"] * words)
    messages = [{"role": "user", "content": text}]
    return msgspec.json.encode({"model": model, "messages": messages, "max_tokens": answer})


async def _head(port: int, key: str, body: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n"
            b"authorization: Bearer %b\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\n\r\n" % (key.encode(), len(body)) + body
        )
        return await reader.read()
    finally:
        writer.close()


def tell(name: str, targets: dict[str, bool], crowds: dict[str, Crowd]) -> bool:
    """Print the verdicts and save all waiting times; return whether all targets were met."""
    for what, met in targets.items():
        print(f"{what}: {'met' if met else 'MISSED'}")
    waits = {crowd: {who: [w for _, w in ws] for who, ws in c.waits.items()}
             for crowd, c in crowds.items()}  # fmt: skip
    print(f"kept in {machine.save(name, waits)}")
    return all(targets.values())
