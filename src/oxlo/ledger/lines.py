"""Calls that Valkey has not answered yet; those of them that stand in an account's line."""

from typing import Any

from oxlo.ledger import scripts
from oxlo.ledger.asking import AskedLedger, Asking
from oxlo.ledger.known import KnownAccounts
from oxlo.ledger.wording import Wording
from oxlo.valkey.client import Client


class Lines:
    """The calls of this gateway that wait: for a reply, or for a lease."""

    def __init__(
        self, ledger: AskedLedger, client: Client, wording: Wording, known: KnownAccounts
    ) -> None:
        self._ledger = ledger
        self._client = client
        self._wording = wording
        self._known = known
        self.asking: dict[str, Asking] = {}

    def tick(self, now: float) -> None:
        """End waits that are over; ask how the others stand, in case a message was lost."""
        lines: dict[str, list[Asking]] = {}
        for asking in list(self.asking.values()):
            if not asking.standing:
                continue
            # No wait is longer because the clock was set back.
            asking.deadline = min(asking.deadline, now + asking.plan.concurrency_wait)
            if asking.deadline <= now:
                self._ledger.waited_in_vain(asking)
            else:
                lines.setdefault(asking.account, []).append(asking)
        if self._client.connected:
            for account, waiting in lines.items():
                self._ask(account, waiting)

    def _ask(self, account: str, waiting: list[Asking]) -> None:
        def replied(said: Any) -> None:
            if not isinstance(said, list):
                return
            if said[0] == scripts.NOT_COUNTED:
                found = [b"-"] * len(waiting)
            else:
                self._known.heard(account, said)
                found = said[10:]
            for asking, each in zip(waiting, found, strict=True):
                self._stands(asking, each)

        words = self._wording.line(account, [asking.call for asking in waiting])
        self._client.send(words, replied)

    def _stands(self, asking: Asking, found: bytes) -> None:
        """How a call stands that we believe to be in line."""
        if asking.over or not found:
            return
        if found == b"-":  # flushed: it stands in line again, or is admitted
            asking.standing = False
            self._ledger.ask(asking)
        else:
            self._ledger.admitted(asking, found)
