"""Certificates that cannot be used, and the mistake that is named."""

import time
from pathlib import Path

import pytest
from tests.certificates import openssl, self_signed

from oxlo.gateway.certificate import Certificate, CertificateError, expires


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate with its key, a key with a passphrase, and files that are neither."""
    made = tmp_path_factory.mktemp("tls")
    cert, key = self_signed(made)
    openssl(made, "pkey -in privkey.pem -aes128 -passout pass:hush -out locked.pem")
    openssl(made, "genpkey -algorithm ec -pkeyopt ec_paramgen_curve:P-256 -out other.pem")
    both = cert.read_text() + key.read_text()
    (made / "both.pem").write_text(both)
    (made / "text").write_text("no PEM\n")
    return made


@pytest.mark.parametrize(("cert", "key"), [("cert.pem", "privkey.pem"), ("both.pem", None)])
def test_usable(folder: Path, cert: str, key: str | None) -> None:
    """The key is in a file of its own, or beside the certificate."""
    assert Certificate(folder / cert, folder / key if key else None).context


@pytest.mark.parametrize(
    ("cert", "key", "told"),
    [
        ("none.pem", "privkey.pem", "OXLO_TLS_CERT=.*none.pem cannot be read: No such file"),
        ("cert.pem", "none.pem", "OXLO_TLS_KEY=.*none.pem cannot be read: No such file"),
        ("cert.pem", None, "cert.pem has no private key .*: set OXLO_TLS_KEY"),
        ("cert.pem", "text", "text has no private key"),
        ("cert.pem", "locked.pem", "locked.pem has a passphrase: remove it"),
        ("cert.pem", "other.pem", "other.pem belongs to another certificate"),
        ("text", "privkey.pem", "no certificate chain"),
    ],
)
def test_unusable(folder: Path, cert: str, key: str | None, told: str) -> None:
    """The message names the setting, the file and the remedy; nothing asks for a passphrase."""
    with pytest.raises(CertificateError, match=told):
        Certificate(folder / cert, folder / key if key else None)


def test_expiry(folder: Path) -> None:
    """The end of the first certificate's validity; nothing for a file without one."""
    end = expires(folder / "both.pem")
    assert end is not None
    assert 0 < end - time.time() <= 9 * 86400
    assert expires(folder / "text") is None


def test_expiry_of_the_one_in_use(folder: Path, tmp_path: Path) -> None:
    """It follows a renewal, and not a file that cannot be used."""
    file = tmp_path / "both.pem"
    file.write_bytes((folder / "both.pem").read_bytes())
    certificate = Certificate(file, None)
    assert certificate.ends == expires(file)
    replace(file, (folder / "text").read_bytes())
    certificate.follow()
    assert certificate.ends == expires(folder / "both.pem")
    cert, key = self_signed(tmp_path, days=90)
    replace(file, cert.read_bytes() + key.read_bytes())
    certificate.follow()
    assert certificate.ends == expires(cert)


def replace(file: Path, content: bytes) -> None:
    """Replace a file as renewals do: by another one."""
    draft = file.with_name("draft")
    draft.write_bytes(content)
    draft.replace(file)
