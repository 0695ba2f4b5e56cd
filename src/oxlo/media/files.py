"""The files of one call, in the folder that the gateway made for it."""

import tempfile
from pathlib import Path
from typing import IO

from oxlo.wire.media import FILE, File


class Files:
    """Files in the order in which they were found; a request names them by their number."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.listed: list[File] = []

    def create(self) -> IO[bytes]:
        """A new file to write to; the gateway removes it, with the folder."""
        return tempfile.NamedTemporaryFile(dir=self.folder, delete=False)

    def store(self, content: bytes, kind: str) -> str:
        """Keep bytes of a media type; returns what stands for them in a request."""
        with self.create() as file:
            file.write(content)
        return self.add(File(path=file.name, size=len(content), type=kind))

    def add(self, file: File) -> str:
        """Take up a file; returns what stands for it in a request."""
        self.listed.append(file)
        return f"{FILE}{len(self.listed) - 1}"
