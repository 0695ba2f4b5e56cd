"""Kept files, in a real folder."""

import os
import random
import time
from pathlib import Path

import pytest

from oxlo.objects.errors import StorageError
from oxlo.objects.store import Objects


async def content(objects: Objects, name: str) -> bytes | None:
    found = await objects.get(name)
    return None if found is None else b"".join([piece async for piece in found.pieces])


async def test_what_is_kept_is_found(tmp_path: Path) -> None:
    """The same bytes, with type and size, under a name of its own each time."""
    objects = Objects.open(str(tmp_path))
    data = random.Random(1).randbytes(600_000)
    name = objects.put(data, "png")
    found = await objects.get(name)
    assert found is not None
    assert (found.type, found.size) == ("image/png", len(data))
    assert await content(objects, name) == data
    assert objects.put(data, "png") != name


@pytest.mark.parametrize(
    "name",
    ["0.png", "../secret", "../secret.png", "%2e%2e/secret.png", "secret.png/", "", ".", "a\0.png"],
)
async def test_nothing_else_is_found(tmp_path: Path, name: str) -> None:
    """No name leads out of the folder, and none that is unknown to anything."""
    (tmp_path / "secret.png").write_bytes(b"x")
    objects = Objects.open(str(tmp_path / "kept"))
    objects.put(b"y", "png")
    assert await content(objects, name) is None


async def test_a_store_is_for_nobody_else(tmp_path: Path) -> None:
    """Other users of the machine cannot look into the folder."""
    Objects.open(str(tmp_path / "kept"))
    assert (tmp_path / "kept").stat().st_mode & 0o077 == 0


async def test_old_files_are_deleted(tmp_path: Path) -> None:
    """And new ones stay."""
    objects = Objects.open(str(tmp_path))
    old, new = objects.put(b"old", "png"), objects.put(b"new", "webp")
    hour_ago = time.time() - 3600
    os.utime(tmp_path / "images" / old, (hour_ago, hour_ago))
    assert await objects.delete_before(time.time() - 1800) == 1
    assert await content(objects, old) is None
    assert await content(objects, new) == b"new"


async def test_only_ours_are_deleted(tmp_path: Path) -> None:
    """A bucket may hold more."""
    objects = Objects.open(str(tmp_path))
    objects.put(b"old", "png")
    (tmp_path / "theirs.png").touch()
    assert await objects.delete_before(time.time() + 60) == 1
    assert (tmp_path / "theirs.png").exists()


@pytest.mark.parametrize("location", ["az://container/x", "nonsense://x", "/dev/null/x"])
def test_what_cannot_be_opened(location: str) -> None:
    """The operator reads which setting it was."""
    with pytest.raises(StorageError, match="OXLO_OBJECTS"):
        Objects.open(location)


def test_a_full_disk(tmp_path: Path) -> None:
    """What cannot be kept is said to be so."""
    objects = Objects.open(str(tmp_path))
    (tmp_path / "images").write_bytes(b"in the way")
    with pytest.raises(StorageError):
        objects.put(b"x", "png")
