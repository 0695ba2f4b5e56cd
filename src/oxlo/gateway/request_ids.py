"""Request ids, and the header lines common to all responses."""

import os
from typing import Final

from oxlo.gateway import headers
from oxlo.gateway.exchange import Exchange

_HEX: Final = tuple(b"%02x" % n for n in range(256))


class RequestIds:
    """Assigns globally unique ids to exchanges."""

    def __init__(self, wall: float) -> None:
        """`wall`: UTC seconds, as in `tick`."""
        self._date = headers.date_line(wall)
        self._start = b"req_" + os.urandom(9).hex().encode()
        self._block = b""
        self._count = 0

    def tick(self, wall: float) -> None:
        """Update the `date` header."""
        self._date = headers.date_line(wall)

    def assign(self, exchange: Exchange) -> None:
        """Assign an exchange its id and the header lines of every response."""
        exchange.id = self._next()
        origin = exchange.headers.get(b"origin")
        cors = headers.cors(origin) if origin else b""
        exchange.head = b"%bx-request-id: %b\r\n%b" % (self._date, exchange.id, cors)

    def _next(self) -> bytes:
        """The next id. The last two digits change fastest; the rest is formatted once per 256."""
        count = self._count
        self._count = count + 1
        if count & 0xFF == 0:
            self._block = b"%b%08x" % (self._start, count >> 8)
        return self._block + _HEX[count & 0xFF]
