"""How often somebody may fail to log in, or sign up, before they have to wait."""

import ipaddress

from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.portal.words import span
from oxlo.store import brakes
from oxlo.store.brakes import Brake, Turn
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
        self._pair = f"{who}@{where}"
        self._events = ((PAIR, self._pair), (ADDRESS, where), (ACCOUNT, who))
        self._turns: list[Turn] = []

    async def begin(self, db: AsyncConnection, *, now: float) -> None:
        """Count it as a failure until it has gone well.

        Raises Braked when it is not this one's turn: then nothing of the transaction may stay.
        """
        self._turns = [
            await take(db, brake, what, "failed attempts", now=now) for brake, what in self._events
        ]

    async def went_well(self, db: AsyncConnection, *, now: float) -> None:
        """What was checked was right: this one is no failure."""
        await brakes.undo(db, *self._turns, now=now)

    async def succeeded(self, db: AsyncConnection) -> None:
        """Whoever logs in has proved who they are: earlier failures are forgotten."""
        await brakes.release(db, PAIR.name(self._pair))


async def take(db: AsyncConnection, brake: Brake, what: str, words: str, *, now: float) -> Turn:
    """Count an event before it happens; `words` say what there is too much of. Raises Braked."""
    turn = await brakes.take(db, brake, what, now=now)
    if turn.wait:
        raise Braked(turn.wait, words)
    return turn
