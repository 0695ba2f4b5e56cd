"""What each exchange is called, and the header lines that all its replies have."""

import os
from typing import Final

from oxlo.gateway import headers
from oxlo.gateway.exchange import Exchange

_HEX: Final = tuple(b"%02x" % n for n in range(256))


class Names:
    """Gives exchanges their ids: no two alike, here or in another process."""

    def __init__(self, wall: float) -> None:
        """`wall`: the time in UTC seconds, as in `tick`."""
        self._date = headers.date_line(wall)
        self._start = b"req_" + os.urandom(9).hex().encode()
        self._block = b""
        self._count = 0

    def tick(self, wall: float) -> None:
        """Time has passed: replies carry the new date."""
        self._date = headers.date_line(wall)

    def give(self, exchange: Exchange) -> None:
        """Give an exchange its id and the header lines of every reply."""
        exchange.id = self._next()
        origin = exchange.headers.get(b"origin")
        cors = headers.cors(origin) if origin else b""
        exchange.head = b"%bx-request-id: %b\r\n%b" % (self._date, exchange.id, cors)

    def _next(self) -> bytes:
        """Its last two digits count fastest: all before them is written once for 256 calls."""
        count = self._count
        self._count = count + 1
        if count & 0xFF == 0:
            self._block = b"%b%08x" % (self._start, count >> 8)
        return self._block + _HEX[count & 0xFF]
