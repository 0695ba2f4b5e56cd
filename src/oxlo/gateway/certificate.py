"""The TLS certificate of a gateway, reloaded when its files change."""

import re
import ssl
from datetime import UTC, datetime
from pathlib import Path

import structlog

from oxlo.errors import OperatorError

log = structlog.get_logger()

#: The end of X.509's validity, which follows its start: UTCTime, or GeneralizedTime from 2050 on.
_EXPIRY = re.compile(rb"(?:\x17\x0d\d{12}|\x18\x0f\d{14})Z(?:\x17\x0d(\d{12})|\x18\x0f(\d{14}))Z")
#: OpenSSL's names for a key of the same, or of another, kind that is not the certificate's.
_MISMATCHES = ("KEY_VALUES_MISMATCH", "NO_CERTIFICATE_ASSIGNED")


class CertificateError(OperatorError):
    """The certificate or its key cannot be used; the message names the setting and the file."""


class Certificate:
    """A certificate and its key, in files that may be replaced at any time."""

    def __init__(self, cert: Path, key: Path | None) -> None:
        """Load the files. Raises CertificateError."""
        self._files = (cert, key)
        self._stamp = self._look()
        self.context = _context(cert, key)
        #: When the certificate in use expires, unix seconds; None: it does not say.
        self.ends = expires(cert)

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
            self.context.load_cert_chain(cert, key, _no_passphrase)
            self.ends = expires(cert)
        except (CertificateError, OSError) as error:
            log.warning("certificate.unreadable", error=str(error))
        else:
            log.info("certificate.renewed", path=str(cert))

    def _look(self) -> list[tuple[int, int] | None]:
        return [_stamp(file) for file in self._files if file]


def expires(cert: Path) -> float | None:
    """When the first certificate of a PEM file expires, unix seconds; None if it does not say.

    Raises OSError.
    """
    _, _, rest = cert.read_text("latin-1").partition(ssl.PEM_HEADER)
    pem = f"{ssl.PEM_HEADER}{rest.partition(ssl.PEM_FOOTER)[0]}{ssl.PEM_FOOTER}"
    try:
        found = _EXPIRY.search(ssl.PEM_cert_to_DER_cert(pem)) if rest else None
    except ValueError:  # OpenSSL reads forms of base64 that Python does not
        return None
    if found is None:
        return None
    text = (found[2] or _century(found[1]) + found[1]).decode()
    return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=UTC).timestamp()


def _century(year: bytes) -> bytes:
    """UTCTime has two digits for the years 1950 to 2049."""
    return b"19" if year[:2] >= b"50" else b"20"


def _context(cert: Path, key: Path | None) -> ssl.SSLContext:
    _check_readable("OXLO_TLS_CERT", cert)
    if key:
        _check_readable("OXLO_TLS_KEY", key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(cert, key, _no_passphrase)
    except ssl.SSLError as error:
        raise CertificateError(f"OXLO_TLS_CERT={cert}: {_remedy(error, key or cert)}") from None
    return context


def _check_readable(setting: str, file: Path) -> None:
    try:
        file.open("rb").close()
    except OSError as error:
        raise CertificateError(f"{setting}={file} cannot be read: {error.strerror}") from None


def _remedy(error: ssl.SSLError, key: Path) -> str:
    if error.reason in _MISMATCHES:
        return f"the key in {key} belongs to another certificate"
    text = key.read_text("latin-1")
    if "ENCRYPTED" in text:
        return f"the key in {key} has a passphrase: remove it"
    if "PRIVATE KEY-----" not in text:
        return f"{key} has no private key (PEM): set OXLO_TLS_KEY to the file that has it"
    return "it has no certificate chain (PEM)"


def _no_passphrase() -> str:
    """Fail instead of asking for a passphrase on the terminal, as OpenSSL does by itself."""
    return ""


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        stat = file.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_ino
