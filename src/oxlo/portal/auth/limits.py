"""Rate limits of failed logins, sign-ups and mails."""

import ipaddress

from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.portal.formats import span
from oxlo.store import throttles
from oxlo.store.throttles import Throttle, Turn
from oxlo.store.tokens import digest

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0

#: Failed logins from one address to one account.
PAIR = Throttle(kind="pair", free=5, wait=2.0, longest=15 * _MINUTE, window=_DAY)
#: Failed logins from one address to any account; whole offices share an address.
ADDRESS = Throttle(kind="login", free=30, wait=2.0, longest=15 * _MINUTE, window=_HOUR)
#: Failed logins to one account from any address; waits are short to not lock the owner out.
ACCOUNT = Throttle(kind="account", free=100, wait=2.0, longest=_MINUTE, window=_DAY)
SIGNUP = Throttle(kind="signup", free=5, wait=10 * _MINUTE, longest=_DAY, window=_DAY)
#: Mails requested from one address, and mails sent to one recipient.
ASKING = Throttle(kind="ask", free=10, wait=_MINUTE, longest=_HOUR, window=_DAY)
MAILS = Throttle(kind="mails", free=3, wait=5 * _MINUTE, longest=_HOUR, window=_DAY)
#: Sign-up attempts that reveal whether an address has an account or a promo code exists.
PROBE = Throttle(kind="probe", free=10, wait=_MINUTE, longest=_HOUR, window=_DAY)
KEYS = Throttle(kind="keys", free=60, wait=_MINUTE, longest=_HOUR, window=_HOUR)
PROMO = Throttle(kind="promo", free=10, wait=_MINUTE, longest=_HOUR, window=_DAY)


class RateLimited(Exception):
    """A rate limit was hit."""

    def __init__(self, seconds: float, what: str) -> None:
        """`what` there were too many of, for the message."""
        self.retry_after = max(1, round(seconds))
        super().__init__(f"Too many {what}. Try again in {span(self.retry_after)}.")


def network(address: str) -> str:
    """Group addresses that count as one: an IPv6 customer usually has a whole /64."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if ip.version == 4:
        return str(ip)
    if ip.ipv4_mapped:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network(f"{ip}/64", strict=False))


def person(email: str) -> str:
    """Hash an e-mail address for counters, as the input may be anything."""
    return digest(email.strip().lower())[:32]


class LoginAttempt:
    """Counters of one login attempt."""

    def __init__(self, email: str, address: str) -> None:
        who, where = person(email), network(address)
        self._pair = f"{who}@{where}"
        self._counters = ((PAIR, self._pair), (ADDRESS, where), (ACCOUNT, who))
        self._turns: list[Turn] = []

    async def begin(self, db: AsyncConnection, *, now: float) -> None:
        """Count the attempt as a failure until it succeeds.

        Raises RateLimited if a limit is hit; the transaction must then be rolled back.
        """
        self._turns = [
            await take(db, throttle, what, "failed attempts", now=now)
            for throttle, what in self._counters
        ]

    async def passed(self, db: AsyncConnection, *, now: float) -> None:
        """Undo the count: this factor was correct."""
        await throttles.undo(db, *self._turns, now=now)

    async def succeeded(self, db: AsyncConnection) -> None:
        """Forget earlier failures after a complete login."""
        await throttles.release(db, PAIR.name(self._pair))


async def take(
    db: AsyncConnection, throttle: Throttle, what: str, plural: str, *, now: float
) -> Turn:
    """Count an event before it happens; `plural` names it in the message. Raises RateLimited."""
    turn = await throttles.take(db, throttle, what, now=now)
    if turn.wait:
        raise RateLimited(turn.wait, plural)
    return turn
