"""Relays everything except inference to control: pages, receipts, metrics."""

from oxlo.errors import Overloaded
from oxlo.gateway.body import Body
from oxlo.gateway.core import Core
from oxlo.gateway.exchange import Exchange
from oxlo.gateway.exchange import State as ExchangeState
from oxlo.gateway.proxies import is_local
from oxlo.gateway.upstream_request import UpstreamRequest
from oxlo.plans.caller import Caller

#: Hop-by-hop headers, and headers that only a gateway may set.
NOT_RELAYED = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization te trailer transfer-encoding "
    b"upgrade content-length host expect forwarded x-forwarded-for x-forwarded-proto "
    b"x-forwarded-host x-real-ip x-request-id x-oxlo-account x-oxlo-key x-oxlo-role x-oxlo-local "
    b"authorization-verified".split()
)
NOT_RETURNED = frozenset(
    b"connection keep-alive transfer-encoding content-length date server x-request-id".split()
)
#: A response of a known length up to this is sent in one piece.
SHORT = 1 << 20
_AWAY = "This page is restarting. Try again shortly."
_AWAY_HEAD = (
    b"content-type: text/html; charset=utf-8\r\ncache-control: no-store\r\nretry-after: 2\r\n"
    b"content-security-policy: default-src 'none'\r\n"
)
#: An error page for browsers that reloads itself and has no external resources.
_AWAY_PAGE = (
    b'<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="2">'
    b'<meta name="viewport" content="width=device-width"><meta name="color-scheme" '
    b'content="light dark"><title>Restarting</title><h1>Restarting</h1>'
    b"<p>The pages will be back in a moment. The API keeps working meanwhile.</p></html>"
)


class ControlRelay:
    """One exchange relayed to control in both directions."""

    def __init__(self, gateway: Core, exchange: Exchange, caller: Caller | None = None) -> None:
        self._gateway = gateway
        self._exchange = exchange
        self._caller = caller
        self._request: UpstreamRequest | None = None
        self._head = b""
        self._status = 0
        self._short = False
        self._chunks: list[bytes] = []

    def admit(self, caller: Caller) -> None:
        """Pass the caller's identity to control."""
        self._caller = caller

    def body(self, body: Body) -> None:
        """Forward the complete request."""
        exchange = self._exchange
        method = b"GET" if exchange.method == b"HEAD" else exchange.method
        self._request = self._gateway.control.request(
            method, exchange.target, self._lines(), body.read(), self
        )

    def _lines(self) -> bytes:
        exchange, gateway = self._exchange, self._gateway
        peer = exchange.connection.peer
        address, scheme = gateway.proxies.client(peer, exchange.headers)
        scheme = scheme or ("https" if gateway.settings.tls_cert else "http")
        lines = [
            b"%b: %b\r\n" % (name, value)
            for name, value in exchange.headers.items()
            if name not in NOT_RELAYED
        ]
        lines += [
            b"x-request-id: %b\r\n" % exchange.id,
            f"x-forwarded-for: {address}\r\nx-forwarded-proto: {scheme}\r\n".encode(),
        ]
        if is_local(peer, exchange.headers):
            lines.append(b"x-oxlo-local: 1\r\n")
        if self._caller is not None:
            lines.append(_caller_lines(self._caller))
        return b"".join(lines)

    def gone(self) -> None:
        """Cancel the request to control."""
        if self._request is not None:
            self._request.cancel()

    def crashed(self) -> None:
        """Cancel the request to control."""
        self.gone()

    def paused(self) -> None:
        """Pause reading from control while the client reads slowly."""
        if self._request is not None:
            self._request.pause()

    def resumed(self) -> None:
        """Resume reading from control."""
        if self._request is not None:
            self._request.resume()

    def on_head(self, status: int, headers: dict[bytes, bytes]) -> None:
        """Handle control's response head."""
        self._status = status
        self._short = 0 < int(headers.get(b"content-length", b"0")) <= SHORT
        self._head = b"".join(
            b"%b: %b\r\n" % item for item in headers.items() if item[0] not in NOT_RETURNED
        )

    def on_data(self, data: bytes) -> None:
        """Forward response data."""
        exchange = self._exchange
        if self._short or exchange.method == b"HEAD":
            self._chunks.append(data)
        elif exchange.streaming:
            exchange.send(data)
        else:
            exchange.begin(self._status, self._head, data)

    def on_end(self) -> None:
        """Finish the response."""
        exchange = self._exchange
        if exchange.state is ExchangeState.DONE:
            return
        if exchange.streaming:
            exchange.end()
        else:
            exchange.reply(self._status, self._head, b"".join(self._chunks))

    def on_fail(self, reason: str, *, sent: bool) -> None:
        """Report that control is unreachable."""
        exchange, away = self._exchange, Overloaded(_AWAY, retry_after=2)
        reads_pages = b"text/html" in exchange.headers.get(b"accept", b"")
        if reads_pages and not exchange.streaming and exchange.state is not ExchangeState.DONE:
            exchange.reply(away.status, _AWAY_HEAD, _AWAY_PAGE)
        else:
            exchange.fail(away)


def _caller_lines(caller: Caller) -> bytes:
    return (
        f"x-oxlo-account: {caller.account}\r\n"
        f"x-oxlo-key: {caller.key}\r\n"
        f"x-oxlo-role: {caller.role}\r\n"
    ).encode()
