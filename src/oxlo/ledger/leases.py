"""The leases of one gateway's calls in Valkey: they end unless they are renewed."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from oxlo.ledger.asking import Charged
from oxlo.ledger.base import Reservation
from oxlo.ledger.known import KnownAccounts
from oxlo.ledger.wording import Wording

if TYPE_CHECKING:
    from oxlo.valkey.client import Client


class Leases:
    """Renews leases of which a third is over, one step for each account."""

    def __init__(
        self, client: "Client", wording: Wording, known: KnownAccounts, seconds: float
    ) -> None:
        """A lease that nobody renews lasts for `seconds`."""
        self._client = client
        self._wording = wording
        self._known = known
        self._seconds = seconds

    def renew(self, reservations: Iterable[Reservation], now: float) -> None:
        """Their owner lives; those that are not in Valkey go on without a word."""
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
        """One that lasts longer than leases do was taken before the clock was set back."""
        fresh = now + self._seconds * 2 / 3 <= reservation.expires <= now + self._seconds
        return not fresh or self._wording.clock is not None

    def _renew(self, account: str, held: list[Charged], now: float) -> None:
        def replied(said: Any) -> None:
            if isinstance(said, list):
                self._known.heard(account, said)
            else:  # due again at once
                for reservation in held:
                    reservation.expires = now

        for reservation in held:
            reservation.expires = now + self._seconds
        words = self._wording.renew(account, [(each.call, each.charge) for each in held])
        self._client.send(words, replied)
