"""Calls that Valkey has not answered yet; those of them that stand in an account's line."""

from typing import TYPE_CHECKING, Any

from oxlo.ledger import scripts
from oxlo.ledger.asking import Asking

if TYPE_CHECKING:
    from oxlo.ledger.shared import SharedLedger


class Lines:
    """The calls of this gateway that wait: for a reply, or for a lease."""

    def __init__(self, ledger: "SharedLedger") -> None:
        self._ledger = ledger
        self.asking: dict[str, Asking] = {}

    def tick(self, now: float) -> None:
        """End waits that are over; ask how the others stand, in case a message was lost."""
        lines: dict[str, list[Asking]] = {}
        for asking in list(self.asking.values()):
            if not asking.standing:
                continue
            if asking.deadline <= now:
                self._ledger.waited_in_vain(asking)
            else:
                lines.setdefault(asking.account, []).append(asking)
        if self._ledger.client.connected:
            for account, waiting in lines.items():
                self._ask(account, waiting)

    def _ask(self, account: str, waiting: list[Asking]) -> None:
        ledger = self._ledger

        def replied(said: Any) -> None:
            if not isinstance(said, list):
                return
            if said[0] == scripts.NOT_COUNTED:
                found = [b"-"] * len(waiting)
            else:
                ledger.known.heard(account, said)
                found = said[10:]
            for asking, each in zip(waiting, found, strict=True):
                self._stands(asking, each)

        words = ledger.wording.line(account, [asking.call for asking in waiting])
        ledger.client.send(words, replied)

    def _stands(self, asking: Asking, found: bytes) -> None:
        """How a call stands that we believe to be in line."""
        if asking.over or not found:
            return
        if found == b"-":  # flushed: it stands in line again, or is admitted
            asking.standing = False
            self._ledger.ask(asking)
        else:
            self._ledger.admitted(asking, found)
