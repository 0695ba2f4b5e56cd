"""The files of one request, in the folder that the gateway made for it."""

import tempfile
from pathlib import Path
from typing import IO

from oxlo.wire.media import FILE, File


class Files:
    """Files in order; a request refers to them by number."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.listed: list[File] = []

    def create(self) -> IO[bytes]:
        """Create a file; the gateway removes the folder."""
        return tempfile.NamedTemporaryFile(dir=self.folder, delete=False)

    def store(self, content: bytes, kind: str) -> str:
        """Write bytes to a file; returns its placeholder for the request."""
        with self.create() as file:
            file.write(content)
        return self.add(File(path=file.name, size=len(content), type=kind))

    def add(self, file: File) -> str:
        """Add a file; returns its placeholder for the request."""
        self.listed.append(file)
        return f"{FILE}{len(self.listed) - 1}"
