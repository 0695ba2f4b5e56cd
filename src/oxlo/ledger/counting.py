"""Initial counts for accounts unknown to Valkey, taken from their receipts."""

from collections.abc import Callable

from oxlo.errors import ApiError
from oxlo.ledger.counted import Counted
from oxlo.ledger.windows import day_of, minute_of

#: Fetches an account's counts for a day and a minute, and passes them to a callback once.
Count = Callable[[str, int, int, Callable[[Counted | ApiError], None]], None]
Done = Callable[[ApiError | None], None]


class Counting:
    """Fetches missing counts, once per account however many calls wait for them."""

    def __init__(self, count: Count, begin: Callable[[str, Counted, Done], None]) -> None:
        """`begin` stores the fetched counts in Valkey."""
        self._count = count
        self._begin = begin
        #: Waiting callbacks, by account.
        self._waiting: dict[str, list[Done]] = {}

    def ask(self, account: str, now_ms: int, then: Done) -> None:
        """Call `then` once the account is counted, or with the error if it cannot be."""
        waiting = self._waiting.setdefault(account, [])
        waiting.append(then)
        if len(waiting) > 1:
            return

        def done(error: ApiError | None) -> None:
            for each in self._waiting.pop(account, []):
                each(error)

        def on_counted(counted: Counted | ApiError) -> None:
            if isinstance(counted, ApiError):
                done(counted)
            else:
                self._begin(account, counted, done)

        now = now_ms / 1000
        self._count(account, day_of(now), minute_of(now), on_counted)
