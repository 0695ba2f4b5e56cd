"""The folder for large bodies and media files of calls in progress."""

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from oxlo.errors import Overloaded


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """Report a disk error as temporary, because the call did not cause it. Raises Overloaded."""
    try:
        yield
    except OSError as error:
        raise Overloaded("Large requests cannot be stored right now.", retry_after=10) from error


class Spool:
    """One gateway's folder, emptied whenever the gateway starts."""

    def __init__(self, folder: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._folder = folder
        self._loop = loop

    def prepare(self) -> None:
        """Create the folder, removing what an earlier run left."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(mode=0o700, parents=True)

    def create(self) -> IO[bytes]:
        """Create a file for writing and reading, inaccessible to other users. Raises Overloaded."""
        with writing():
            return tempfile.NamedTemporaryFile(dir=self._folder, prefix="body-", delete=False)

    def folder(self, name: str) -> str:
        """Create a folder for the files of one call; returns its path. Raises Overloaded."""
        folder = f"{self._folder}/{name}"  # not with `pathlib`: see `idempotency/answers.py`
        with writing():
            os.mkdir(folder, mode=0o700)
        return folder

    def discard(self, file: IO[bytes]) -> None:
        """Close and remove a file in a thread, because freeing a large file takes milliseconds."""
        self._loop.run_in_executor(None, _remove, file)

    def discard_folder(self, path: str) -> None:
        """Remove a folder and its contents in a thread."""
        self._loop.run_in_executor(None, _remove_folder, path)


def _remove(file: IO[bytes]) -> None:
    with contextlib.suppress(OSError):  # on a full disk even flushing the buffer fails
        file.close()
    with contextlib.suppress(FileNotFoundError):
        os.unlink(file.name)


def _remove_folder(path: str) -> None:
    shutil.rmtree(path, ignore_errors=True)
