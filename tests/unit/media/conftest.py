"""A folder for the files of one call."""

from pathlib import Path

import pytest

from oxlo.media.files import Files
from oxlo.wire.media import File


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def content(files: Files, number: int) -> bytes:
    """What a file of a call holds."""
    return Path(files.listed[number].path).read_bytes()


def read(file: File) -> bytes:
    """What a file holds."""
    return Path(file.path).read_bytes()
