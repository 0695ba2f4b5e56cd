"""Initial counts for accounts unknown to Valkey, taken from their receipts."""

from collections.abc import Callable
from typing import Any

import structlog

from oxlo.errors import ApiError, LimitsUnavailable
from oxlo.ledger.account_cache import AccountCache
from oxlo.ledger.commands import Commands
from oxlo.ledger.counted import Counted
from oxlo.ledger.windows import day_of, minute_of
from oxlo.valkey.client import Client

log = structlog.get_logger()

#: Fetches an account's counts for a day and a minute, and passes them to a callback once.
Count = Callable[[str, int, int, Callable[[Counted | ApiError], None]], None]
Done = Callable[[ApiError | None], None]


class Counting:
    """Fetches missing counts, once per account however many calls wait for them."""

    def __init__(
        self,
        count: Count,
        client: Client,
        commands: Commands,
        known: AccountCache,
        failed: Callable[[Any], None],
    ) -> None:
        """`failed` is called with each reply that is an error."""
        self._count = count
        self._client = client
        self._commands = commands
        self._known = known
        self._failed = failed
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

    def _begin(self, account: str, counted: Counted, done: Done) -> None:
        """Store an account's usage in Valkey, unless another gateway was first."""

        def replied(reply: Any) -> None:
            if isinstance(reply, list):
                self._known.update(account, reply)
                done(None)
            else:
                self._failed(reply)
                done(LimitsUnavailable(retry_after=2))

        log.info("limits.counted", account=account, day_used=counted.day_used)
        self._client.send(self._commands.begin(account, counted), replied)
