"""Calls that wait for Valkey's reply or in an account's queue."""

from typing import Any

from oxlo.ledger import scripts
from oxlo.ledger.account_cache import AccountCache
from oxlo.ledger.commands import Commands
from oxlo.ledger.pending import Admitter, PendingCall
from oxlo.valkey.client import Client


class WaitingCalls:
    """The calls of this gateway that wait for a reply or for a lease."""

    def __init__(
        self, admitter: Admitter, client: Client, commands: Commands, known: AccountCache
    ) -> None:
        self._admitter = admitter
        self._client = client
        self._commands = commands
        self._known = known
        self.pending: dict[str, PendingCall] = {}

    def tick(self, now: float) -> None:
        """Time out waiting calls, and poll the state of the others in case a message was lost."""
        queues: dict[str, list[PendingCall]] = {}
        for pending in list(self.pending.values()):
            if not pending.standing:
                continue
            # Setting the clock back must not prolong a wait.
            pending.deadline = min(pending.deadline, now + pending.plan.concurrency_wait)
            if pending.deadline <= now:
                self._admitter.timed_out(pending)
            else:
                queues.setdefault(pending.account, []).append(pending)
        if self._client.connected:
            for account, waiting in queues.items():
                self._ask(account, waiting)

    def _ask(self, account: str, waiting: list[PendingCall]) -> None:
        def replied(reply: Any) -> None:
            if not isinstance(reply, list):
                return
            if reply[0] == scripts.NOT_COUNTED:
                found = [b"-"] * len(waiting)
            else:
                self._known.update(account, reply)
                found = reply[10:]
            now = int(reply[1]) / 1000
            for pending, each in zip(waiting, found, strict=True):
                self._polled(pending, each, now)

        payload = self._commands.line(account, [pending.call for pending in waiting])
        self._client.send(payload, replied)

    def _polled(self, pending: PendingCall, found: bytes, now: float) -> None:
        """Handle the polled state of a call, unless it has left the queue since it was polled."""
        if pending.over or not pending.standing or not found:
            return
        if found == b"-":  # Valkey was flushed: the call joins the queue again, or is admitted
            pending.standing = False
            self._admitter.ask(pending)
        else:
            self._admitter.admitted(pending, found, now)
