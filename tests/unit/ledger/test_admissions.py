"""Admissions when replies and messages arrive late, over a connection without a socket."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from oxlo.errors import ApiError, MinuteLimitExceeded
from oxlo.ledger import scripts
from oxlo.ledger.account import Lease
from oxlo.ledger.account_cache import AccountCache
from oxlo.ledger.admissions import Admissions
from oxlo.ledger.base import Reservation
from oxlo.ledger.commands import Commands
from oxlo.ledger.counting import Counting
from oxlo.ledger.outage import Outage
from oxlo.ledger.pending import Charged
from oxlo.ledger.settlements import Settlements
from oxlo.ledger.valkey_health import ValkeyHealth
from oxlo.plans import Plan
from oxlo.valkey.client import Client, Lost

MakePlan = Callable[..., Plan]
#: A minute and a second at which calls ask.
ASKED = 1_000 * 60.0 + 50


class Valkey:
    """A client whose server replies when the test does."""

    connected = True

    def __init__(self) -> None:
        self.sent: list[Callable[[Any], None]] = []

    def send(self, words: bytes, replied: Callable[[Any], None]) -> None:
        self.sent.append(replied)


class Gateway:
    """Admissions with the outcomes they delivered; calls are counted in memory in an outage."""

    def __init__(self) -> None:
        self.valkey = Valkey()
        client, known = cast(Client, self.valkey), AccountCache()
        commands = Commands("g1", lease_seconds=30.0, alive_seconds=5.0, clock=None)
        self.outage = Outage("open", 30.0, known.counts)
        health = ValkeyHealth(self.outage)
        settlements = Settlements(client, commands, health.failed)
        counting = Counting(lambda *call: None, client, commands, known, health.failed)
        self.admissions = Admissions(
            client, commands, known, settlements, counting, health, self.outage, 30.0
        )
        self.outcomes: list[Reservation | ApiError] = []

    def reserve(self, call: str, plan: Plan, reply: Any) -> None:
        """Ask for a reservation, to which Valkey gives this reply."""
        self.admissions.reserve(call, "a", plan, ASKED, self.outcomes.append, None)
        self.valkey.sent.pop()(reply)


def decision(code: int, now: float) -> list[Any]:
    """A script's reply: the account has used one request, and one call waits."""
    return [code, int(now * 1000), 0, 1, int(now // 60), 1, 0, b"e", 1, 1]


def message(call: str, code: int, now: float) -> bytes:
    """The message about a call that waited."""
    fields = [b"a", call.encode()]
    fields += [word if isinstance(word, bytes) else b"%d" % word for word in decision(code, now)]
    return b" ".join(fields)


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


def test_calls_counted_in_memory_are_not_admitted_twice(
    gateway: Gateway, make_plan: MakePlan
) -> None:
    """A lease that Valkey grants to a call that meanwhile waits in memory is given back."""
    plan = make_plan(concurrency=1)
    gateway.reserve("call_1", plan, Lost())
    gateway.reserve("call_2", plan, Lost())
    gateway.admissions.heard(message("call_2", scripts.ADMITTED, ASKED + 1))
    first, *others = gateway.outcomes
    assert isinstance(first, Lease)
    assert not others
    gateway.outage.settle(first, counted=True, minute_counted=True, now=ASKED + 2)
    assert [type(outcome) for outcome in gateway.outcomes] == [Lease, Lease]


def test_calls_ask_again_once(gateway: Gateway, make_plan: MakePlan) -> None:
    """A call that two polls report as unknown, as Valkey was flushed, asks only once."""
    gateway.reserve("call_1", make_plan(), decision(scripts.WAITS, ASKED))
    gateway.admissions.tick(ASKED + 0.5)
    gateway.admissions.tick(ASKED + 1)
    polls, gateway.valkey.sent = gateway.valkey.sent, []
    for replied in polls:
        replied([scripts.NOT_COUNTED, int(ASKED * 1000)])
    assert len(polls) == 2
    assert len(gateway.valkey.sent) == 1


def test_refusals_after_a_wait_name_the_time_left(gateway: Gateway, make_plan: MakePlan) -> None:
    """A call refused in the next minute is told when that one ends, as of now."""
    gateway.reserve("call_1", make_plan(), decision(scripts.WAITS, ASKED))
    gateway.admissions.heard(message("call_1", scripts.MINUTE_USED, ASKED + 15))
    refusal = gateway.outcomes[0]
    assert isinstance(refusal, MinuteLimitExceeded)
    assert refusal.retry_after == 55


def test_waiting_is_not_part_of_a_lease(gateway: Gateway, make_plan: MakePlan) -> None:
    """A lease begins when it is granted, whether a message or a poll reports it."""
    for call in ("call_1", "call_2"):
        gateway.reserve(call, make_plan(), decision(scripts.WAITS, ASKED))
    gateway.admissions.heard(message("call_1", scripts.ADMITTED, ASKED + 8))
    gateway.admissions.tick(ASKED + 8.5)
    gateway.valkey.sent.pop()([*decision(scripts.ADMITTED, ASKED + 9), b"0 1001 e"])
    leases = [held for held in gateway.outcomes if isinstance(held, Charged)]
    assert [(held.since, held.expires) for held in leases] == [
        (ASKED + 8, ASKED + 38),
        (ASKED + 9, ASKED + 39),
    ]
