"""The history of accounts and keys, as far as a gateway has heard of it from control.

Control's reply about changes leads from one change to a later one. Replies can overtake each other,
so that each is applied only if no other was since it was asked for: the time between two that are
applied is a turn.
"""

from typing import Final

from oxlo.plans.caller import Caller, Changes

#: Accounts whose last change is remembered; if there are more, all keys are looked up again.
CHANGED_LIMIT: Final = 100_000


class History:
    """Which callers are outdated."""

    def __init__(self) -> None:
        #: Number of the last change that was heard of, and its mark.
        self.number = 0
        self._mark: int | None = None
        #: Replies applied so far, and the turn since which control has another database.
        self.turn = 0
        self._replaced = 0
        #: Number of the last change of each account that changed, and of any other account.
        self._changed: dict[str, int] = {}
        self._all_changed = 0

    def hear(self, changes: Changes, turn: int) -> bool:
        """Apply a reply that was asked for in a turn; False if nothing changed since then."""
        same = changes.since_mark == self._mark
        if turn != self.turn or (same and changes.counter == self.number):
            return False
        self.turn += 1
        if changes.counter < self.number or not (same or changes.since_mark is None):
            self._replaced = self.turn
        self.number, self._mark = changes.counter, changes.mark
        self._outdate(changes.accounts if same else None)
        return True

    def _outdate(self, accounts: frozenset[str] | None) -> None:
        if accounts is None or len(self._changed) + len(accounts) > CHANGED_LIMIT:
            self._all_changed = self.number
            self._changed.clear()
        else:
            self._changed.update(dict.fromkeys(accounts, self.number))

    def holds(self, turn: int) -> bool:
        """Whether what control said in a turn is about the database that it has now."""
        return turn >= self._replaced

    def is_current(self, caller: Caller) -> bool:
        """Whether a caller was looked up after its account's last change."""
        return caller.as_of >= self._changed.get(caller.account, self._all_changed)
