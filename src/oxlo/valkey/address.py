"""Parsing Valkey URLs."""

import ssl
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

_PORT = 6379
_PLAIN = ("valkey", "redis")
_TLS = ("valkeys", "rediss")


class AddressError(ValueError):
    """An invalid URL; the message explains it without the password."""


@dataclass(frozen=True, slots=True)
class Address:
    """A server and its credentials."""

    host: str = ""
    port: int = _PORT
    #: Path of a unix socket; "": TCP.
    socket: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    database: int = 0
    tls: bool = False

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Read `valkey://[USER:PASSWORD@]HOST[:PORT][/DB]`, also redis://, or unix:///PATH.

        `valkeys://` and `rediss://` use TLS. Raises AddressError.
        """
        try:
            parts = urlsplit(url)
            port = parts.port or _PORT
        except ValueError as error:
            raise AddressError(f"OXLO_VALKEY_URL: {error}") from None
        if parts.scheme == "unix" and parts.path:
            return cls(socket=unquote(parts.path))
        if parts.scheme not in (*_PLAIN, *_TLS) or not parts.hostname:
            raise AddressError(
                "OXLO_VALKEY_URL takes valkey://HOST:PORT, valkeys://HOST:PORT (TLS), redis://, "
                "rediss:// or unix:///PATH"
            )
        return cls(
            host=parts.hostname,
            port=port,
            username=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            database=_database(parts.path.strip("/")),
            tls=parts.scheme in _TLS,
        )

    def __str__(self) -> str:
        """For logs, without credentials."""
        return f"unix:{self.socket}" if self.socket else f"{self.host}:{self.port}"

    def ssl(self) -> ssl.SSLContext | None:
        """The TLS context, which verifies certificates against the system's trust store."""
        return ssl.create_default_context() if self.tls else None


def _database(text: str) -> int:
    if text and not text.isdigit():
        raise AddressError(f"OXLO_VALKEY_URL: a database is a number, not {text!r}")
    return int(text or 0)
