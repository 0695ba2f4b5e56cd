"""The certificate of a gateway that serves HTTPS: renewed ones hold from the next connection on."""

import ssl
from pathlib import Path

import structlog

log = structlog.get_logger()


class Certificate:
    """A certificate and its key, in files that may be replaced at any moment."""

    def __init__(self, cert: Path, key: Path | None) -> None:
        """Raises OSError where they cannot be read; ssl.SSLError, which is one, where unfit."""
        self._files = (cert, key)
        self._stamp = self._look()
        self.context = _context(cert, key)

    def follow(self) -> None:
        """Take over files that were replaced; while they do not fit, what held before holds."""
        stamp = self._look()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        cert, key = self._files
        try:
            # A pair that does not fit would leave half of it in the context that is in use.
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
