"""Pins: the files of a hub repository by commit and sha256.

A pin is read from a hub once and stored; from then on exactly these files are fetched and served.
"""

import hashlib
import os
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

import msgspec

from oxlo.catalogue import Repository, Source, WeightsFile
from oxlo.catalogue.model import FilePath
from oxlo.weights.errors import SourceFailed, WrongHash
from oxlo.weights.hub import Hub

#: Files outside of large-file storage are downloaded to be hashed, up to this size in bytes.
_SMALL = 64 << 20


class PinnedFile(msgspec.Struct, frozen=True):
    """One file of a repository."""

    path: str
    size: int
    sha256: str


class Pin(msgspec.Struct, frozen=True):
    """A repository at one commit."""

    hub: str
    revision: str
    #: The patterns by which the files were selected.
    patterns: tuple[str, ...]
    files: tuple[PinnedFile, ...]

    def entries(self, patterns: Sequence[str]) -> tuple[WeightsFile, ...]:
        """The files that match a pattern, in the patterns' order. Raises SourceFailed."""
        chosen: dict[str, PinnedFile] = {}
        for pattern in patterns:
            chosen |= {file.path: file for file in self.files if matches(file.path, pattern)}
        if not chosen:
            raise SourceFailed(f"{self.hub}@{self.revision} holds no {', '.join(patterns)}")
        return tuple(map(self._entry, chosen.values()))

    def _entry(self, file: PinnedFile) -> WeightsFile:
        source = Source(hub=self.hub, revision=self.revision, path=(file.path,))
        return WeightsFile(name=file.path, sha256=file.sha256, size=file.size, sources=(source,))


class _Large(msgspec.Struct):
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class _Sibling(msgspec.Struct, rename={"path": "rfilename", "blob": "blobId"}):
    path: str
    size: int = 0
    blob: str = ""
    lfs: _Large | None = None


class _About(msgspec.Struct, rename={"revision": "sha"}):
    revision: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{40}$")]
    siblings: list[_Sibling]


def read(repository: Repository, hub: Hub) -> Pin:
    """Read a repository's files from a hub. Raises SourceFailed."""
    reply = hub.read(hub.about(repository.hub, repository.revision or "main"), repository.hub)
    try:
        about = msgspec.json.decode(reply, type=_About)
    except msgspec.DecodeError as error:
        raise SourceFailed(f"{hub.url}: unusable answer about {repository.hub}: {error}") from None
    wanted = sorted(
        (s for s in about.siblings if any(matches(s.path, p) for p in repository.files)),
        key=lambda sibling: sibling.path,
    )
    files = tuple(_file(sibling, repository.hub, about.revision, hub) for sibling in wanted)
    return Pin(repository.hub, about.revision, repository.files, files)


def _file(sibling: _Sibling, name: str, revision: str, hub: Hub) -> PinnedFile:
    try:
        msgspec.convert(sibling.path, FilePath)
    except msgspec.ValidationError:
        raise SourceFailed(f"{name} lists a file with an unusable name: {sibling.path!r}") from None
    if sibling.lfs:
        return PinnedFile(sibling.path, sibling.size, sibling.lfs.sha256)
    if sibling.size > _SMALL:
        raise SourceFailed(f"{name}: the hub states no sha256 of {sibling.path}")
    content = hub.read(hub.file(name, revision, sibling.path), name)
    if (found := _git_id(content)) != sibling.blob:
        raise WrongHash(sibling.path, name, sibling.blob, found)
    return PinnedFile(sibling.path, len(content), hashlib.sha256(content).hexdigest())


def _git_id(content: bytes) -> str:
    """The git blob id of a file's contents."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def matches(path: str, pattern: str) -> bool:
    """Whether a path matches a pattern; `*` does not match `/`."""
    parts, patterns = path.split("/"), pattern.split("/")
    return len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns))


def kept(repository: Repository, directory: Path) -> Pin | None:
    """The stored pin, if it matches the revision and has all files."""
    try:
        pin = msgspec.json.decode(_place(repository.hub, directory).read_bytes(), type=Pin)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    same = repository.revision in (None, pin.revision)
    return pin if same and set(repository.files) <= set(pin.patterns) else None


def keep(pin: Pin, directory: Path) -> Path:
    """Store a pin atomically; merges the files of an earlier pin of the same commit."""
    place = _place(pin.hub, directory)
    place.parent.mkdir(parents=True, exist_ok=True)
    before = kept(Repository(pin.hub, pin.revision, ()), directory)
    draft = place.with_suffix(f".{os.getpid()}.draft")
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(_merged(pin, before))))
    return draft.replace(place)


def _merged(pin: Pin, before: Pin | None) -> Pin:
    if before is None:
        return pin
    files = {file.path: file for file in (*before.files, *pin.files)}
    patterns = tuple(dict.fromkeys((*before.patterns, *pin.patterns)))
    return Pin(pin.hub, pin.revision, patterns, tuple(files[path] for path in sorted(files)))


def _place(hub: str, directory: Path) -> Path:
    return directory / f"{hub.replace('/', '--')}.json"
