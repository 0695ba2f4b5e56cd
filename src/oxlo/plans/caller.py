"""Who is calling: what control tells a gateway about a key."""

import msgspec


class Caller(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The account and the key behind a call. Limits are the account's; a key only narrows."""

    account: str
    account_name: str
    key: str
    plan: str
    #: Unix seconds until which the plan's trial tiers are open.
    trial_until: float = 0.0
    #: Unix seconds at which the key expires; 0: never.
    expires_at: float = 0.0
    #: Model ids that the key may use; empty: all that the plan opens.
    models: frozenset[str] = frozenset()
    #: Endpoints that the key may use ("chat", "completions", ...); empty: all.
    endpoints: frozenset[str] = frozenset()
    #: Browser origins that may use the key; empty: any.
    origins: frozenset[str] = frozenset()
    role: str = "user"
    #: Requests that an operator granted the account: (UTC day, how many), from today on.
    grants: tuple[tuple[int, int], ...] = ()

    def granted(self, day: int) -> int:
        """Requests that were granted for a UTC day, beyond what the plan allows."""
        return sum(count for granted, count in self.grants if granted == day)
