"""An account's usage according to its receipts, as control reports it to gateways."""

import msgspec


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """An account's usage of a UTC day and a minute."""

    day: int
    day_used: int
    minute: int
    minute_used: int
    #: Abandoned calls refunded on that day.
    refunds: int
    #: Unix seconds; calls that ended later may be missing.
    as_of: float
