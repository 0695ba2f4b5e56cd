"""What control tells gateways about keys: the caller of each, and changes."""

import msgspec


class Caller(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The account and key of a request. Limits belong to the account; a key can only restrict."""

    account: str
    account_name: str
    key: str
    plan: str
    #: End of the plan's trial tiers, unix seconds.
    trial_until: float = 0.0
    #: Expiry of the key, unix seconds; 0: never.
    expires_at: float = 0.0
    #: Model ids that the key may use; empty: all of the plan.
    models: frozenset[str] = frozenset()
    #: Endpoints that the key may use ("chat", "completions", ...); empty: all.
    endpoints: frozenset[str] = frozenset()
    #: Browser origins that may use the key; empty: any.
    origins: frozenset[str] = frozenset()
    role: str = "user"
    #: Additional requests granted by an operator: (UTC day, number), from today on.
    grants: tuple[tuple[int, int], ...] = ()
    #: Number of the last change, of any account, before this was read.
    as_of: int = 0

    def granted(self, day: int) -> int:
        """Number of additional requests granted for a UTC day."""
        return sum(count for granted, count in self.grants if granted == day)


class Changes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Changes to accounts and keys since a gateway last asked."""

    #: Number of the last change.
    counter: int
    #: Ids of the accounts that changed; None: any may have.
    accounts: frozenset[str] | None = None
    #: Marks of that change and of the one that the gateway asked about; None: not in the log. In
    #: another history of the database, the change of the same number has another mark.
    mark: int | None = None
    since_mark: int | None = None
