"""A folder for the files of one call."""

from pathlib import Path

import pytest

from oxlo.media.files import Files


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def content(files: Files, number: int) -> bytes:
    """What a file of a call holds."""
    return Path(files.listed[number].path).read_bytes()
