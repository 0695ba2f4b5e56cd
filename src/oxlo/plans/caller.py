"""The caller of a request: what control tells a gateway about a key."""

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

    def granted(self, day: int) -> int:
        """Number of additional requests granted for a UTC day."""
        return sum(count for granted, count in self.grants if granted == day)
