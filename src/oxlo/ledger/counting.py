"""Accounts that Valkey knows nothing of: they are counted from the records of their calls."""

from collections.abc import Callable

from oxlo.errors import ApiError
from oxlo.ledger.counted import Counted
from oxlo.ledger.windows import day_of, minute_of

#: Asks for an account's counts on a day and in a minute, and tells them later, once.
Count = Callable[[str, int, int, Callable[[Counted | ApiError], None]], None]
Done = Callable[[ApiError | None], None]


class Counting:
    """Has accounts counted, each once however many calls wait for it."""

    def __init__(self, count: Count, begin: Callable[[str, Counted, Done], None]) -> None:
        """`begin` tells Valkey what was counted."""
        self._count = count
        self._begin = begin
        #: Who waits, by account.
        self._waiting: dict[str, list[Done]] = {}

    def ask(self, account: str, now_ms: int, then: Done) -> None:
        """Call `then` once the account is counted, or with why it cannot be."""
        waiting = self._waiting.setdefault(account, [])
        waiting.append(then)
        if len(waiting) > 1:
            return

        def done(error: ApiError | None) -> None:
            for each in self._waiting.pop(account, []):
                each(error)

        def told(counted: Counted | ApiError) -> None:
            if isinstance(counted, ApiError):
                done(counted)
            else:
                self._begin(account, counted, done)

        now = now_ms / 1000
        self._count(account, day_of(now), minute_of(now), told)
