"""Certificates for tests, made with `openssl`."""

import subprocess
from pathlib import Path


def openssl(folder: Path, command: str) -> None:
    """Run a command of openssl in a folder."""
    subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)


def self_signed(folder: Path, name: str = "a", days: int = 9) -> tuple[Path, Path]:
    """A certificate for a host's name, `cert.pem`, and its key, `privkey.pem`."""
    key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout privkey.pem"
    names = f"-subj /CN={name} -addext subjectAltName=DNS:{name}"
    openssl(folder, f"req -x509 {key} {names} -days {days} -out cert.pem")
    return folder / "cert.pem", folder / "privkey.pem"
