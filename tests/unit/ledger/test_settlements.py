"""Settlements that Valkey rejects, over a connection without a socket."""

from collections.abc import Callable
from typing import Any, cast

import hiredis

from oxlo.ledger.commands import Commands
from oxlo.ledger.settlements import PORTION, Settlements
from oxlo.valkey.client import Client


class FullValkey:
    """A client whose server rejects every command, being full, until it has room."""

    connected = True

    def __init__(self) -> None:
        self.full = True
        self.commands = 0

    def send(self, words: bytes, replied: Callable[[Any], None]) -> None:
        self.commands += 1
        replied(hiredis.ReplyError("OOM command not allowed") if self.full else 1)


def begin(valkey: FullValkey, most: int) -> Settlements:
    commands = Commands("g1", lease_seconds=30.0, alive_seconds=5.0, clock=None)
    return Settlements(cast(Client, valkey), commands, lambda error: None, most)


def test_rejected_settlements_are_bounded() -> None:
    """While Valkey is full, only the newest settlements are kept and retried."""
    valkey = FullValkey()
    settlements = begin(valkey, 10)
    for number in range(50):
        settlements.end(f"req_{number}", "acct_1")
        settlements.tick()
    assert len(settlements.unsettled) == 10
    valkey.full, valkey.commands = False, 0
    settlements.tick()
    assert valkey.commands == 10
    assert not settlements.unsettled


def test_retries_come_in_portions() -> None:
    """A tick retries a portion, so that a long outage does not block the event loop."""
    valkey = FullValkey()
    settlements = begin(valkey, 100_000)
    for number in range(2 * PORTION + 1):
        settlements.end(f"req_{number}", "acct_1")
    valkey.commands = 0
    settlements.tick()
    assert valkey.commands == PORTION
    valkey.full = False
    for _ in range(3):
        settlements.tick()
    assert not settlements.unsettled
