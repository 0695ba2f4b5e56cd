"""How often somebody may fail to log in, or sign up, before they have to wait."""

import ipaddress

from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.portal.words import span
from oxlo.store import brakes
from oxlo.store.brakes import Brake
from oxlo.store.tokens import digest

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0

#: One address tries one account.
PAIR = Brake(kind="pair", free=5, wait=2.0, longest=15 * _MINUTE, window=_DAY)
#: One address tries many accounts; offices share an address.
ADDRESS = Brake(kind="login", free=30, wait=2.0, longest=15 * _MINUTE, window=_HOUR)
#: Many addresses try one account. Its owner, who is known by the address, is not kept out for long.
ACCOUNT = Brake(kind="account", free=100, wait=2.0, longest=_MINUTE, window=_DAY)
SIGNUP = Brake(kind="signup", free=5, wait=10 * _MINUTE, longest=_DAY, window=_DAY)
#: Mails that one address asks for, and that one person gets.
ASKING = Brake(kind="ask", free=10, wait=_MINUTE, longest=_HOUR, window=_DAY)
MAILS = Brake(kind="mails", free=3, wait=5 * _MINUTE, longest=_HOUR, window=_DAY)
#: Sign-ups that learn something: that an address has an account, that a code is none.
PROBE = Brake(kind="probe", free=10, wait=_MINUTE, longest=_HOUR, window=_DAY)
KEYS = Brake(kind="keys", free=60, wait=_MINUTE, longest=_HOUR, window=_HOUR)
PROMO = Brake(kind="promo", free=10, wait=_MINUTE, longest=_HOUR, window=_DAY)


class Braked(Exception):
    """Somebody has to wait."""

    def __init__(self, seconds: float, what: str) -> None:
        """`what` there was too much of, in words."""
        self.retry_after = max(1, round(seconds))
        super().__init__(f"Too many {what}. Try again in {span(self.retry_after)}.")


def network(address: str) -> str:
    """What counts as one address: of IPv6 a /64, which is what one customer has."""
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
    """An e-mail address as counters know it: by a hash, since anything may be typed."""
    return digest(email.strip().lower())[:32]


class Login:
    """The counters of one try to log in."""

    def __init__(self, email: str, address: str) -> None:
        who, where = person(email), network(address)
        self._events = ((PAIR, f"{who}@{where}"), (ADDRESS, where), (ACCOUNT, who))

    async def check(self, db: AsyncConnection, *, now: float) -> None:
        """Raises Braked when it is not this one's turn yet."""
        names = [brake.name(what) for brake, what in self._events]
        if wait := await brakes.waits(db, names, now=now):
            raise Braked(wait, "failed attempts")

    async def failed(self, db: AsyncConnection, *, now: float) -> None:
        """Count a failure."""
        for brake, what in self._events:
            await brakes.note(db, brake, what, now=now)

    async def succeeded(self, db: AsyncConnection) -> None:
        """Whoever logs in has proved who they are."""
        brake, what = self._events[0]
        await brakes.release(db, brake.name(what))


async def check(db: AsyncConnection, brake: Brake, what: str, words: str, *, now: float) -> None:
    """Raises Braked while a counter holds."""
    if wait := await brakes.waits(db, [brake.name(what)], now=now):
        raise Braked(wait, words)
