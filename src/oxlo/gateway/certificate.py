"""The TLS certificate of a gateway, reloaded when its files change."""

import ssl
from pathlib import Path

import structlog

log = structlog.get_logger()


class Certificate:
    """A certificate and its key, in files that may be replaced at any time."""

    def __init__(self, cert: Path, key: Path | None) -> None:
        """Load the files. Raises OSError if unreadable or invalid (ssl.SSLError is a subclass)."""
        self._files = (cert, key)
        self._stamp = self._look()
        self.context = _context(cert, key)

    def follow(self) -> None:
        """Reload replaced files for new connections; invalid files change nothing."""
        stamp = self._look()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        cert, key = self._files
        try:
            # Loading a mismatched pair would leave the context in use with only half of it.
            _context(cert, key)
            self.context.load_cert_chain(cert, key)
        except OSError as error:
            log.warning("certificate.unreadable", error=str(error))
        else:
            log.info("certificate.renewed", path=str(cert))

    def _look(self) -> list[tuple[int, int] | None]:
        return [_stamp(file) for file in self._files if file]


def _context(cert: Path, key: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    return context


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        stat = file.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_ino
