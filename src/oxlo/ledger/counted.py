"""What an account used, as the records of its calls say: control tells it to gateways."""

import msgspec


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What an account used of a UTC day and of a minute."""

    day: int
    day_used: int
    minute: int
    minute_used: int
    #: Abandoned calls that were refunded on the day.
    refunds: int
    #: Unix seconds: calls that ended later may be missing.
    as_of: float
