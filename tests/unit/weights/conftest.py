"""Fixtures for weights: a file server, and a folder of wheels."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.weights.shelf import Shelf


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    """A file server on loopback."""
    server = Shelf()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the only place where pip looks."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder
