"""The gateway of this machine: its port, address and readiness."""

import errno
import socket
import ssl

import msgspec

from oxlo.errors import OperatorError
from oxlo.fleet.fetch import NoAnswer, Refused, fetch
from oxlo.gateway.certificate import Certificate
from oxlo.settings import Settings

_DEADLINE = 2.0
_REMEDIES = {
    errno.EADDRINUSE: "is in use; set OXLO_PORT to another",
    errno.EACCES: "is for root; set OXLO_PORT to 1024 or above, and put a proxy in front",
    errno.EADDRNOTAVAIL: "is not this machine's; set OXLO_HOST to one of its addresses",
}


class PortTaken(OperatorError):
    """The gateway cannot listen on its port; the message says why."""


def check_port(settings: Settings) -> None:
    """Check that the gateway can listen on its port. Raises PortTaken."""
    host, port = settings.host, settings.port
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        reason = _REMEDIES.get(error.errno or 0, f"cannot be used: {error}; set OXLO_HOST")
        raise PortTaken(f"port {port} on {host} {reason}") from None


def check_certificate(settings: Settings) -> None:
    """Check that the gateway can serve HTTPS, if it is meant to. Raises CertificateError."""
    if settings.tls_cert:
        Certificate(settings.tls_cert, settings.tls_key)


class _Readiness(msgspec.Struct):
    models: dict[str, str]


async def ready(settings: Settings) -> frozenset[str] | None:
    """The ready models; None if no gateway of Oxlo answers."""
    try:
        reply = await fetch(address(settings), "/readyz", deadline=_DEADLINE, tls=own_tls())
        models = msgspec.json.decode(reply.body, type=_Readiness).models
    except (NoAnswer, Refused, msgspec.DecodeError):
        return None
    return frozenset(model for model, state in models.items() if state == "ready")


async def has_pages(settings: Settings) -> bool:
    """Whether the portal's pages answer, so that users can be sent there."""
    try:
        reply = await fetch(address(settings), "/robots.txt", deadline=_DEADLINE, tls=own_tls())
    except (NoAnswer, Refused):
        return False
    return reply.status == 200


def address(settings: Settings) -> str:
    """The gateway's URL on this machine, without proxy or public name."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
    return f"{settings.scheme}://{f'[{host}]' if ':' in host else host}:{settings.port}"


def own_tls() -> ssl.SSLContext:
    """TLS without verification, because the certificate is for the public name."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
