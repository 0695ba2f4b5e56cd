"""Downloads over HTTP: resumed, refetched, refused."""

import hashlib
from pathlib import Path

import pytest
from tests.unit.weights.shelf import CONTENT, HUB_PATH, Shelf, hub, weights_file

from oxlo import weights
from oxlo.weights.download import Download


def pull(shelf: Shelf, directory: Path) -> Path:
    return weights.fetch(weights_file(hub()), directory, hub=shelf.hub)


def test_whole_file(shelf: Shelf, tmp_path: Path) -> None:
    """A hub's file lands under its hash, and nothing else is left of the download."""
    shelf.files[HUB_PATH] = CONTENT
    path = pull(shelf, tmp_path)
    assert path == tmp_path / hashlib.sha256(CONTENT).hexdigest() / "m.gguf"
    assert path.read_bytes() == CONTENT
    assert not (path.parent / "work").exists()


def test_cut_connection_resumes(shelf: Shelf, tmp_path: Path) -> None:
    """After a cut only the rest is asked for, until the file is whole."""
    shelf.files[HUB_PATH] = CONTENT
    shelf.cuts = [300_000, 200_000]
    assert pull(shelf, tmp_path).read_bytes() == CONTENT
    assert [asked for _, asked, _ in shelf.seen] == [None, "bytes=300000-", "bytes=500000-"]
    assert sum(sent for _, _, sent in shelf.seen) == len(CONTENT)


def test_next_run_goes_on(shelf: Shelf, tmp_path: Path) -> None:
    """A run that gave up leaves its bytes to the next one."""
    shelf.files[HUB_PATH] = CONTENT
    shelf.cuts = [400_000, 0]
    target = tmp_path / "file"
    impatient = Download(f"{shelf.url}{HUB_PATH}", target, weights.Silent())
    with pytest.raises(KeyboardInterrupt):
        impatient.run(pause=_interrupt)
    assert Download(f"{shelf.url}{HUB_PATH}", target, weights.Silent()).run() == target
    assert target.read_bytes() == CONTENT
    assert shelf.seen[-1][1] == "bytes=400000-"


def _interrupt(_seconds: float) -> None:
    raise KeyboardInterrupt


def test_changed_file_starts_anew(shelf: Shelf, tmp_path: Path) -> None:
    """A part of an older version is thrown away: If-Range notices."""
    target = tmp_path / "file"
    (tmp_path / "file.part").write_bytes(b"old" * 1000)
    (tmp_path / "file.etag").write_text('"v0"')
    shelf.files[HUB_PATH] = CONTENT
    Download(f"{shelf.url}{HUB_PATH}", target, weights.Silent()).run()
    assert target.read_bytes() == CONTENT


def test_part_was_whole(shelf: Shelf, tmp_path: Path) -> None:
    """A process killed between its last byte and the renaming costs no second download."""
    (tmp_path / "file.part").write_bytes(CONTENT)
    shelf.files[HUB_PATH] = CONTENT
    path = Download(f"{shelf.url}{HUB_PATH}", tmp_path / "file", weights.Silent()).run()
    assert path.read_bytes() == CONTENT
    assert shelf.seen == [(HUB_PATH, f"bytes={len(CONTENT)}-", 0)]


def test_server_without_etag(shelf: Shelf, tmp_path: Path) -> None:
    """Resuming needs no ETag: the hash has the last word."""
    shelf.files[HUB_PATH], shelf.etag, shelf.cuts = CONTENT, None, [123_456]
    assert pull(shelf, tmp_path).read_bytes() == CONTENT
    assert shelf.seen[1][1] == "bytes=123456-"


def test_damaged_once(shelf: Shelf, tmp_path: Path) -> None:
    """A damaged download is fetched once more, from zero."""
    shelf.files[HUB_PATH], shelf.damaged = CONTENT, 1
    assert pull(shelf, tmp_path).read_bytes() == CONTENT
    assert [sent for _, _, sent in shelf.seen] == [len(CONTENT)] * 2


def test_wrong_hash(shelf: Shelf, tmp_path: Path) -> None:
    """Another file than promised is refused with both hashes and its source."""
    shelf.files[HUB_PATH] = other = b"GGUF of somebody else"
    with pytest.raises(weights.WrongHash) as caught:
        pull(shelf, tmp_path)
    for part in (hashlib.sha256(other), hashlib.sha256(CONTENT)):
        assert part.hexdigest() in str(caught.value)
    assert "org/repo@abc" in str(caught.value)
    assert list(tmp_path.rglob("m.gguf")) == []


def test_busy_server_asked_again(shelf: Shelf, tmp_path: Path) -> None:
    """A server that is busy for a moment is asked again."""
    shelf.files[HUB_PATH], shelf.refusals = CONTENT, [503]
    pauses: list[float] = []
    Download(f"{shelf.url}{HUB_PATH}", tmp_path / "f", weights.Silent()).run(pauses.append)
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert len(pauses) == 1


def test_busy_server_given_up(shelf: Shelf, tmp_path: Path) -> None:
    """A server that stays busy is given up, by name and status."""
    shelf.files[HUB_PATH], shelf.refusals = CONTENT, [503] * 9
    download = Download(f"{shelf.url}{HUB_PATH}", tmp_path / "f", weights.Silent())
    with pytest.raises(weights.SourceFailed, match=r"127\.0\.0\.1:\d+ answered 503"):
        download.run(lambda _seconds: None)


def test_only_http(tmp_path: Path) -> None:
    """An address of another scheme is never opened."""
    download = Download("file:///etc/hostname", tmp_path / "f", weights.Silent())
    with pytest.raises(weights.SourceFailed, match="not an http address"):
        download.run()
