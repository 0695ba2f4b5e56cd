"""Kept answers: in files, and whatever else keeps the same contract."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from oxlo.gateway.answers import Answers, FileAnswers, Kept, Running, name_of, sweep

KEPT = Kept(
    fingerprint="f1", request_id="req_1", model="m", stream=False, head=b"a: b\r\n", body=b"{}"
)
Make = Callable[[], Answers]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes the answers of one gateway after another, all of one machine."""

    def begin() -> Answers:
        return FileAnswers(tmp_path / "answers", asyncio.get_running_loop(), hours=1, mb=1)

    return begin


async def claim(answers: Answers, name: str = "n", fingerprint: str = "f1") -> object:
    told: asyncio.Future[Kept | Running | None] = asyncio.get_running_loop().create_future()
    answers.claim(name, fingerprint, told.set_result)
    return await asyncio.wait_for(told, 10)


async def keep(answers: Answers, name: str = "n", kept: Kept = KEPT) -> None:
    done = asyncio.Event()
    answers.keep(name, kept, done.set)
    await asyncio.wait_for(done.wait(), 10)


async def test_one_makes_it(make: Make) -> None:
    """The first claim is granted; others are told that somebody is at it, then get the answer."""
    one, other = make(), make()
    assert await claim(one) is None
    assert await claim(other, fingerprint="f2") == Running("f1")
    await keep(one)
    assert await claim(other) == KEPT
    assert await claim(one, "another") is None


async def test_given_up(make: Make) -> None:
    """A claim that ended without an answer is for the next who asks."""
    one, other = make(), make()
    assert await claim(one) is None
    one.release("n")
    async with asyncio.timeout(10):
        while await claim(other) is not None:
            pass
    assert await claim(one) == Running("f1")


async def test_names_tell_accounts_apart() -> None:
    """The same key of two accounts is two keys, wherever one ends and the other begins."""
    assert len({name_of("a", "bc"), name_of("ab", "c"), name_of("a", "c")}) == 3


async def test_dead_owner(tmp_path: Path) -> None:
    """A claim ends with its process; the file that it leaves stands in nobody's way."""
    answers = FileAnswers(tmp_path, asyncio.get_running_loop(), hours=1, mb=1)
    (tmp_path / "n.lock").write_text("f9")
    assert await claim(answers) is None


@pytest.mark.parametrize("rest", [b"", b"half an ans"])
async def test_broken_file(tmp_path: Path, rest: bytes) -> None:
    """What cannot be read is no answer."""
    answers = FileAnswers(tmp_path, asyncio.get_running_loop(), hours=1, mb=1)
    (tmp_path / "n").write_bytes(rest)
    assert await claim(answers) is None
    await keep(answers)
    assert await claim(answers) == KEPT


async def test_too_old(tmp_path: Path) -> None:
    """After its hours an answer is no more, even before it is swept away."""
    answers = FileAnswers(tmp_path, asyncio.get_running_loop(), hours=1, mb=1)
    await claim(answers)
    await keep(answers)
    os.utime(tmp_path / "n", (1.0, 1.0))
    assert await claim(answers) is None


async def test_no_folder(tmp_path: Path) -> None:
    """Where nothing can be kept the call is made all the same."""
    (tmp_path / "file").touch()
    answers = FileAnswers(tmp_path / "file", asyncio.get_running_loop(), hours=1, mb=1)
    assert await claim(answers) is None
    await keep(answers)


def test_sweep(tmp_path: Path) -> None:
    """The old go first, then the oldest until the rest is small enough; young locks stay."""
    for number in range(5):
        path = tmp_path / f"{number}"
        path.write_bytes(b"x" * 100)
        os.utime(path, (100.0 + number, 100.0 + number))
    (tmp_path / "old.lock").touch()
    os.utime(tmp_path / "old.lock", (1.0, 1.0))
    (tmp_path / "young.lock").touch()
    sweep(tmp_path, 101.5, 250)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["3", "4", "young.lock"]


def test_files_are_private(tmp_path: Path) -> None:
    """Answers are for the gateway's user alone."""

    async def work() -> None:
        answers = FileAnswers(tmp_path / "new", asyncio.get_running_loop(), hours=1, mb=1)
        await claim(answers)
        await keep(answers)

    asyncio.run(work())
    assert (tmp_path / "new").stat().st_mode & 0o077 == 0
    assert (tmp_path / "new" / "n").stat().st_mode & 0o077 == 0
