"""The folder where large bodies and the files of media calls lie while their calls last."""

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
    """What the disk refuses is no fault of a call: it may come back. Raises Overloaded."""
    try:
        yield
    except OSError as error:
        raise Overloaded("Large requests cannot be stored right now.", retry_after=10) from error


class Spool:
    """One gateway's folder; nothing in it outlives the gateway's next start."""

    def __init__(self, folder: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._folder = folder
        self._loop = loop

    def prepare(self) -> None:
        """Make the folder, without what an earlier run left in it."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(mode=0o700, parents=True)

    def create(self) -> IO[bytes]:
        """A new file, open for writing and reading, closed to other users. Raises Overloaded."""
        with writing():
            return tempfile.NamedTemporaryFile(dir=self._folder, prefix="body-", delete=False)

    def folder(self, name: str) -> str:
        """Make a folder for the files of one call; returns its path. Raises Overloaded."""
        folder = f"{self._folder}/{name}"  # not by `pathlib`: see `idempotency/answers.py`
        with writing():
            os.mkdir(folder, mode=0o700)
        return folder

    def discard(self, file: IO[bytes]) -> None:
        """Close and remove a file, in a thread: to free a large one takes milliseconds."""
        self._loop.run_in_executor(None, _remove, file)

    def discard_folder(self, path: str) -> None:
        """Remove a folder and what is in it, in a thread, too."""
        self._loop.run_in_executor(None, _remove_folder, path)


def _remove(file: IO[bytes]) -> None:
    with contextlib.suppress(OSError):  # on a full disk not even the rest of a buffer is written
        file.close()
    with contextlib.suppress(FileNotFoundError):
        os.unlink(file.name)


def _remove_folder(path: str) -> None:
    shutil.rmtree(path, ignore_errors=True)
