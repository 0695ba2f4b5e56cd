"""Calls that wait for Valkey's reply or in an account's queue."""

from typing import Any

from oxlo.ledger import scripts
from oxlo.ledger.asking import AskedLedger, Asking
from oxlo.ledger.known import KnownAccounts
from oxlo.ledger.wording import Wording
from oxlo.valkey.client import Client


class Lines:
    """The calls of this gateway that wait for a reply or for a lease."""

    def __init__(
        self, ledger: AskedLedger, client: Client, wording: Wording, known: KnownAccounts
    ) -> None:
        self._ledger = ledger
        self._client = client
        self._wording = wording
        self._known = known
        self.asking: dict[str, Asking] = {}

    def tick(self, now: float) -> None:
        """Time out waiting calls, and poll the state of the others in case a message was lost."""
        lines: dict[str, list[Asking]] = {}
        for asking in list(self.asking.values()):
            if not asking.standing:
                continue
            # Setting the clock back must not prolong a wait.
            asking.deadline = min(asking.deadline, now + asking.plan.concurrency_wait)
            if asking.deadline <= now:
                self._ledger.waited_in_vain(asking)
            else:
                lines.setdefault(asking.account, []).append(asking)
        if self._client.connected:
            for account, waiting in lines.items():
                self._ask(account, waiting)

    def _ask(self, account: str, waiting: list[Asking]) -> None:
        def replied(reply: Any) -> None:
            if not isinstance(reply, list):
                return
            if reply[0] == scripts.NOT_COUNTED:
                found = [b"-"] * len(waiting)
            else:
                self._known.heard(account, reply)
                found = reply[10:]
            for asking, each in zip(waiting, found, strict=True):
                self._polled(asking, each)

        payload = self._wording.line(account, [asking.call for asking in waiting])
        self._client.send(payload, replied)

    def _polled(self, asking: Asking, found: bytes) -> None:
        """Handle the polled state of a call that is believed to be in the queue."""
        if asking.over or not found:
            return
        if found == b"-":  # Valkey was flushed: the call joins the queue again, or is admitted
            asking.standing = False
            self._ledger.ask(asking)
        else:
            self._ledger.admitted(asking, found)
