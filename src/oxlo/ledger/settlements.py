"""Settlements on their way to Valkey, each kept until confirmed.

Settlements lost with a broken connection are sent again over the next one, and those that Valkey
rejected are retried with the next tick. Settling is idempotent.
"""

from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import hiredis

from oxlo.ledger.commands import Commands
from oxlo.ledger.slots import SlotRequest

if TYPE_CHECKING:
    from oxlo.valkey.client import Client

#: Settlements kept while Valkey is unreachable; the oldest are dropped first, and their leases
#: expire.
_MOST: Final = 100_000
#: Rejected settlements that one tick retries.
PORTION: Final = 1000


class Settlement:
    """A settlement waiting for confirmation."""

    __slots__ = ("call", "payload", "settlements")

    def __init__(self, settlements: "Settlements", call: str, payload: bytes) -> None:
        self.settlements = settlements
        self.call = call
        self.payload = payload

    def replied(self, reply: Any) -> None:
        """Handle Valkey's reply: confirm, or schedule a retry."""
        if isinstance(reply, int):
            self.settlements.confirmed(self)
        elif isinstance(reply, hiredis.ReplyError):
            self.settlements.refused(self, reply)


class Settlements:
    """The settlements that Valkey has not confirmed."""

    def __init__(
        self,
        client: "Client",
        commands: Commands,
        failed: Callable[[Any], None],
        most: int = _MOST,
    ) -> None:
        """`failed` is called for each settlement that Valkey rejects; at most `most` are kept."""
        self._most = most
        self._client = client
        self._commands = commands
        self._failed = failed
        self.unsettled: dict[str, Settlement] = {}
        #: Those that it has rejected, in the order in which they are retried.
        self._refused: dict[str, Settlement] = {}

    def end(
        self,
        call: str,
        account: str,
        charge: bytes = b"",
        *,
        counted: bool = False,
        minute_counted: bool = False,
        refund: bool = False,
        now: float = 0.0,
        slot: SlotRequest | None = None,
    ) -> None:
        """Send a settlement in this turn of the event loop, or once Valkey is reachable again.

        Without a `charge`, everything done for the call is undone.
        """
        payload = self._commands.settle(
            call,
            account,
            charge,
            counted=counted,
            minute_counted=minute_counted,
            refund=refund,
            now=now,
            slot=slot,
        )
        settlement = self.unsettled[call] = Settlement(self, call, payload)
        if len(self.unsettled) > self._most:
            oldest = next(iter(self.unsettled))
            del self.unsettled[oldest]
            self._refused.pop(oldest, None)
        if self._client.connected:
            self._client.send(payload, settlement.replied)

    def send_all(self) -> None:
        """Send all unconfirmed settlements after a reconnection."""
        self._refused.clear()
        for settlement in list(self.unsettled.values()):
            self._client.send(settlement.payload, settlement.replied)

    def tick(self) -> None:
        """Retry some of the rejected settlements; called twice a second."""
        again = list(islice(self._refused.values(), PORTION))
        for settlement in again:
            del self._refused[settlement.call]
            self._client.send(settlement.payload, settlement.replied)

    def confirmed(self, settlement: Settlement) -> None:
        """Drop a settlement that Valkey has applied."""
        self.unsettled.pop(settlement.call, None)

    def refused(self, settlement: Settlement, why: hiredis.ReplyError) -> None:
        """Keep a settlement that Valkey rejected, to retry it, unless it was dropped meanwhile."""
        self._failed(why)
        if self.unsettled.get(settlement.call) is settlement:
            self._refused[settlement.call] = settlement
