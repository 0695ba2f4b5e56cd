"""Renewal of the leases that one gateway's calls hold in Valkey."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from oxlo.ledger.account_cache import AccountCache
from oxlo.ledger.base import Reservation
from oxlo.ledger.commands import Commands
from oxlo.ledger.pending import Charged

if TYPE_CHECKING:
    from oxlo.valkey.client import Client


class Leases:
    """Renews each lease after a third of its duration, in one step per account."""

    def __init__(
        self, client: "Client", commands: Commands, known: AccountCache, seconds: float
    ) -> None:
        """A lease expires after `seconds` unless renewed."""
        self._client = client
        self._commands = commands
        self._known = known
        self._seconds = seconds

    def renew(self, reservations: Iterable[Reservation], now: float) -> None:
        """Renew the leases that are due; those that are not in Valkey are extended locally."""
        due: dict[str, list[Charged]] = {}
        for reservation in reservations:
            if not isinstance(reservation, Charged):
                reservation.expires = now + self._seconds
            elif self._is_due(reservation, now):
                due.setdefault(reservation.account, []).append(reservation)
        if self._client.connected:
            for account, held in due.items():
                self._renew(account, held, now)

    def _is_due(self, reservation: Charged, now: float) -> bool:
        """Also true for leases that expire too late, taken before the clock was set back."""
        fresh = now + self._seconds * 2 / 3 <= reservation.expires <= now + self._seconds
        return not fresh or self._commands.clock is not None

    def _renew(self, account: str, held: list[Charged], now: float) -> None:
        def replied(reply: Any) -> None:
            if isinstance(reply, list):
                self._known.update(account, reply)
            else:  # due again at once
                for reservation in held:
                    reservation.expires = now

        for reservation in held:
            reservation.expires = now + self._seconds
        payload = self._commands.renew(account, [(each.call, each.charge) for each in held])
        self._client.send(payload, replied)
