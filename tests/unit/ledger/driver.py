"""Drives either ledger: what Valkey replies has arrived when a method returns."""

import asyncio
from collections.abc import Callable
from typing import Any

from tests.valkeys import ValkeyServer
from tests.waiting import PATIENCE

from oxlo.errors import ApiError
from oxlo.ledger.base import Ledger, Reservation, Waiter
from oxlo.ledger.counted import Counted
from oxlo.ledger.memory import MemoryLedger
from oxlo.ledger.shared import SharedLedger
from oxlo.plans import Plan
from oxlo.testing.clock import FakeClock

LEASE = 30.0


class Queued:
    """A waiting call, and its result."""

    def __init__(self, waiter: Waiter, got: list[Reservation | ApiError]) -> None:
        self.waiter = waiter
        self.got = got


class Driver:
    """A ledger with a frozen clock."""

    def __init__(self, ledger: Ledger, clock: FakeClock) -> None:
        self.ledger = ledger
        self.clock = clock
        self._calls = 0

    async def flush(self) -> None:
        """Wait until all requests have been answered."""
        ledger = self.ledger
        if isinstance(ledger, SharedLedger):
            await ledger.client.ask(b"PING")
            pending = ledger.admissions.pending
            while ledger.settlements.unsettled or any(not a.standing for a in pending.values()):
                await ledger.client.ask(b"PING")

    async def ask(self, plan: Plan, account: str = "a") -> Reservation | Queued:
        """A reservation, or a place in the queue. Raises if refused."""
        self._calls += 1
        got: list[Reservation | ApiError] = []
        held = self.ledger.reserve(
            f"{id(self)}-{self._calls}", account, plan, self.clock(), got.append
        )
        if isinstance(held, Reservation):
            return held
        await self.flush()
        if not got:
            return Queued(held, got)
        if isinstance(got[0], ApiError):
            raise got[0]
        return got[0]

    async def take(self, plan: Plan, account: str = "a") -> Reservation:
        """A reservation granted immediately."""
        held = await self.ask(plan, account)
        assert isinstance(held, Reservation)
        return held

    async def enqueue(self, plan: Plan, account: str = "a") -> Queued:
        """A place in the queue."""
        place = await self.ask(plan, account)
        assert isinstance(place, Queued)
        return place

    async def settle(self, held: Reservation, *, counted: bool, minute_counted: bool) -> None:
        self.ledger.settle(held, counted=counted, minute_counted=minute_counted, now=self.clock())
        await self.flush()

    async def answer(self, plan: Plan, calls: int = 1, account: str = "a") -> None:
        """Make successful calls, one after the other."""
        for _ in range(calls):
            held = await self.take(plan, account)
            await self.settle(held, counted=True, minute_counted=True)

    async def cancel(self, place: Queued) -> None:
        place.waiter.cancel()
        await self.flush()

    async def renew(self, *held: Reservation) -> None:
        self.ledger.renew(held, self.clock())
        await self.flush()

    async def tick(self) -> None:
        self.ledger.tick(self.clock())
        await self.flush()

    async def used(self, plan: Plan, account: str = "a") -> tuple[int, int, int]:
        """Requests of the day and of the minute, and leases."""
        usage: list[Any] = []
        self.ledger.fetch_limits(account, plan, self.clock(), usage.append)
        while not usage:
            await self.flush()
        day, minute, leases = usage[0]
        return day.used, minute.used, leases


def memory(clock: FakeClock) -> Driver:
    return Driver(MemoryLedger(lease_seconds=LEASE), clock)


def no_receipts(
    account: str, day: int, minute: int, answer: Callable[[Counted | ApiError], None]
) -> None:
    """Report the usage of an account without receipts."""
    answer(Counted(day=day, day_used=0, minute=minute, minute_used=0, refunds=0, as_of=0.0))


def shared(server: ValkeyServer, clock: FakeClock, gateway: str = "g1", **given: Any) -> Driver:
    """A ledger in Valkey with a clock of the test. It connects in the running event loop."""
    options = {"count": no_receipts, "lease_seconds": LEASE, "timeout": PATIENCE} | given
    loop = asyncio.get_running_loop()
    ledger = SharedLedger(server.address, loop, gateway, clock=clock, **options)
    return Driver(ledger, clock)
