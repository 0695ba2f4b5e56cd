"""Models that are folders of files."""

import hashlib
import os
import shutil
from pathlib import Path

import msgspec
import pytest

from oxlo import weights
from oxlo.catalogue import Source, WeightsFile
from oxlo.weights import tree

CONTENTS = {
    "model_index.json": b"{}",
    "unet/config.json": b'{"of": "unet"}',
    "vae/config.json": b'{"of": "vae"}',
}


def entry(name: str, folder: Path) -> WeightsFile:
    digest = hashlib.sha256(CONTENTS[name]).hexdigest()
    source = Source(folder=folder, path=(name,))
    return WeightsFile(name=name, sha256=digest, size=len(CONTENTS[name]), sources=(source,))


@pytest.fixture
def files(tmp_path: Path) -> list[WeightsFile]:
    """A pipeline of three files in the user's own folder."""
    for name, content in CONTENTS.items():
        (tmp_path / "mine" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mine" / name).write_bytes(content)
    return [entry(name, tmp_path / "mine") for name in CONTENTS]


def contents(folder: Path) -> dict[str, bytes]:
    found = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_engine_is_given_the_folder(files: list[WeightsFile], tmp_path: Path) -> None:
    """All files lie in one folder under their own names, equal last parts or not."""
    weights.fetch_all(files, tmp_path / "cache")
    folders = weights.ready(files, tmp_path / "cache")
    assert folders is not None
    assert [contents(folder) for folder in folders] == [CONTENTS]


def test_one_file_missing(files: list[WeightsFile], tmp_path: Path) -> None:
    """A folder that lacks a file is none."""
    weights.fetch_all(files[:2], tmp_path / "cache")
    assert weights.ready(files, tmp_path / "cache") is None
    assert not (tmp_path / "cache" / "trees").exists()


def test_files_without_folders(files: list[WeightsFile], tmp_path: Path) -> None:
    """Where no name has a folder the engine is given each file as it is in the cache."""
    paths = weights.fetch_all(files[:1], tmp_path / "cache")
    assert weights.ready(files[:1], tmp_path / "cache") == paths


def test_cache_can_be_moved(files: list[WeightsFile], tmp_path: Path) -> None:
    """Links lead to the files beside them, wherever the cache is."""
    weights.fetch_all(files, tmp_path / "cache")
    folder = tree.lay_out(files, tmp_path / "cache")
    shutil.move(tmp_path / "cache", tmp_path / "elsewhere")
    moved = tmp_path / "elsewhere" / folder.relative_to(tmp_path / "cache")
    assert contents(moved) == CONTENTS


def test_folder_is_made_once(files: list[WeightsFile], tmp_path: Path) -> None:
    """The second start finds it, also in a cache that cannot be written any more."""
    weights.fetch_all(files, tmp_path / "cache")
    folder = tree.lay_out(files, tmp_path / "cache")
    os.utime(folder.parent, (1, 1))
    assert tree.lay_out(files, tmp_path / "cache") == folder
    assert folder.parent.stat().st_mtime == 1  # nothing was written beside it


def test_other_content_is_another_folder(files: list[WeightsFile], tmp_path: Path) -> None:
    """A newer version of one file does not change the folder that an engine has open."""
    weights.fetch_all(files, tmp_path / "cache")
    before = tree.lay_out(files, tmp_path / "cache")
    changed = msgspec.structs.replace(files[2], sha256=files[1].sha256)
    assert tree.lay_out([*files[:2], changed], tmp_path / "cache") != before
