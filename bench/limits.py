"""Exactness of limits: four gateways and 64 clients of one account.

    python -m bench limits [--minutes 2] [--workers 4] [--clients 64]

The account has the Pro plan: 300 requests per day, 60 per minute, 20 concurrent. Clients send the
next request immediately after each response.
"""

import argparse
import asyncio
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import msgspec

from bench import machine
from bench.installation import Installation, installation, key
from bench.processes import Failed
from oxlo import plans
from oxlo.testing.engine import EngineDouble
from oxlo.testing.replicas import replica

MODEL = "bench"
#: Seconds that must remain of a minute for its limit to be certainly reached.
ROOM = 15.0


class Minute(msgspec.Struct, frozen=True):
    """A UTC minute: the responses in it, and the requests charged to it."""

    minute: int
    asked: int
    charged: int
    allowed: int


class Measured(msgspec.Struct, frozen=True):
    """All minutes, and the number of responses by status."""

    minutes: list[Minute]
    statuses: dict[int, int]


def main(arguments: list[str]) -> int:
    """Measure, print and save a table; return 1 if any limit was not exact."""
    parser = argparse.ArgumentParser(prog="python -m bench limits", description=__doc__)
    parser.add_argument("--minutes", type=int, default=2)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--clients", type=int, default=64)
    options = parser.parse_args(arguments)
    try:
        measured = asyncio.run(_measure(options))
    except Failed as error:
        print(error, file=sys.stderr)
        return 1
    return _show(measured)


async def _measure(options: argparse.Namespace) -> Measured:
    with tempfile.TemporaryDirectory(prefix="oxlo-bench-") as name:
        async with EngineDouble(model=MODEL, slots=256) as engine:
            return await asyncio.to_thread(_run, Path(name), engine.address, options)


def _run(folder: Path, engine: str, options: argparse.Namespace) -> Measured:
    home = folder / "oxlo"
    home.mkdir()
    double = replica(MODEL, address=engine, slots=256, context_length=8192)
    more = {"pinned": False, "workers": options.workers, "valkey": True}
    with installation(home, [MODEL], [double], **more) as ours:
        asked = asyncio.run(_hammer(ours, options))
        ours.gateway.end()
        time.sleep(2)  # control drains twice a second
        charged = _charged(home / "oxlo.db")
    return _measured(asked, charged)


async def _hammer(ours: Installation, options: argparse.Namespace) -> Counter[tuple[int, int]]:
    """Count responses by minute and status."""
    asked: Counter[tuple[int, int]] = Counter()
    pro = await asyncio.to_thread(key, ours.env, "pro")
    if (left := 60 - time.time() % 60) < ROOM:
        await asyncio.sleep(left)
    ends = (time.time() // 60 + options.minutes - 1) * 60 + ROOM
    async with asyncio.TaskGroup() as clients:
        for _ in range(options.clients):
            clients.create_task(_client(ours.port, pro, ends, asked))
    return asked


async def _client(port: int, key: str, ends: float, asked: Counter[tuple[int, int]]) -> None:
    body = msgspec.json.encode(
        {"model": MODEL, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 4}
    )
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer {key}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.time() < ends:
        writer.write(head.encode() + body)
        status = await _answer(reader)
        asked[int(time.time() // 60), status] += 1
    writer.close()


async def _answer(reader: asyncio.StreamReader) -> int:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
    await reader.readexactly(length)
    return int(head.split()[1])


def _charged(database: Path) -> dict[int, int]:
    """Count charged calls by minute, from their receipts."""
    query = "select minute, count(*) from calls where counted group by minute"
    with sqlite3.connect(database) as db:
        return dict(db.execute(query).fetchall())


def _measured(asked: Counter[tuple[int, int]], charged: dict[int, int]) -> Measured:
    pro = plans.load()["pro"]
    assert pro.requests_per_minute is not None
    assert pro.requests_per_day is not None
    left, minutes = pro.requests_per_day, []
    for minute in sorted({minute for minute, _ in asked} | set(charged)):
        allowed = min(left, pro.requests_per_minute)
        left -= allowed
        total = sum(count for (of, _), count in asked.items() if of == minute)
        minutes.append(Minute(minute, total, charged.get(minute, 0), allowed))
    statuses: Counter[int] = Counter()
    for (_, status), count in asked.items():
        statuses[status] += count
    return Measured(minutes, dict(sorted(statuses.items())))


def _show(measured: Measured) -> int:
    print(f"{'minute (UTC)':14} {'answers':>9} {'accepted':>9} {'allowed':>8}")
    for minute in measured.minutes:
        at = time.strftime("%H:%M", time.gmtime(minute.minute * 60))
        print(f"{at:14} {minute.asked:9} {minute.charged:9} {minute.allowed:8}")
    answered = measured.statuses.get(200, 0)
    charged = sum(minute.charged for minute in measured.minutes)
    print(f"answers by status: {measured.statuses}; 200 {answered}, charged {charged}")
    print(f"kept in {machine.save('limits', measured)}")
    exact = all(minute.charged == minute.allowed for minute in measured.minutes)
    return 0 if exact and answered == charged else 1
