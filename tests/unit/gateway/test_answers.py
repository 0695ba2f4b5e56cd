"""The contract of response storage, for files and Valkey."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.disks import full_disk
from tests.valkeys import ValkeyServer
from tests.waiting import PATIENCE, until

from oxlo.errors import ApiError, LimitsUnavailable
from oxlo.gateway.idempotency.answers import Answers, FileAnswers, Kept, Running, name_of, sweep
from oxlo.gateway.idempotency.valkey_answers import ValkeyAnswers

KEPT = Kept(
    fingerprint="f1", request_id="req_1", model="m", stream=False, head=b"a: b\r\n", body=b"{}"
)
#: The key in Valkey of the claim for `n`.
LEASE = b"oxlo:{answers}:claim:n"
Make = Callable[[], Awaitable[Answers]]


@pytest.fixture(params=["files", "valkey"])
async def make(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Make]:
    """Creates storage for several gateways of one installation."""
    made: list[Answers] = []

    async def begin() -> Answers:
        loop = asyncio.get_running_loop()
        if request.param == "files":
            return FileAnswers(tmp_path / "answers", loop, hours=1, mb=1)
        made.append(await connected(request.getfixturevalue("valkey"), f"g{len(made)}"))
        return made[-1]

    if request.param == "valkey":
        await emptied(request.getfixturevalue("valkey"))
    yield begin
    for answers in made:
        await answers.close()


async def connected(server: ValkeyServer, gateway: str = "g", **given: Any) -> ValkeyAnswers:
    """One gateway's storage in Valkey."""
    loop = asyncio.get_running_loop()
    usual = {"hours": 1, "mb": 1, "timeout": PATIENCE}
    answers = ValkeyAnswers(server.address, loop, gateway, **usual | given)
    await answers.open()
    return answers


async def emptied(server: ValkeyServer) -> None:
    """Empty the storage."""
    answers = await connected(server)
    await answers.client.ask(b"FLUSHALL")
    await answers.close()


async def claim(answers: Answers, name: str = "n", fingerprint: str = "f1") -> object:
    told: asyncio.Future[Kept | Running | ApiError | None] = (
        asyncio.get_running_loop().create_future()
    )
    answers.claim(name, fingerprint, told.set_result)
    return await asyncio.wait_for(told, PATIENCE)


async def keep(answers: Answers, name: str = "n", kept: Kept = KEPT) -> None:
    done = asyncio.Event()
    answers.keep(name, kept, done.set)
    await asyncio.wait_for(done.wait(), PATIENCE)


async def test_one_makes_it(make: Make) -> None:
    """The first claim is granted; others learn that the call is running, then get the response."""
    one, other = await make(), await make()
    assert await claim(one) is None
    assert await claim(other, fingerprint="f2") == Running("f1")
    await keep(one)
    assert await claim(other) == KEPT
    assert await claim(one, "another") is None


async def test_given_up(make: Make) -> None:
    """A claim released without a response is granted to the next."""
    one, other = await make(), await make()
    assert await claim(one) is None
    one.release("n")
    async with asyncio.timeout(PATIENCE):
        while await claim(other) is not None:
            pass
    assert await claim(one) == Running("f1")


async def test_kept_once(make: Make) -> None:
    """Once stored, a response is returned to every claim."""
    one, other = await make(), await make()
    assert await claim(one) is None
    await keep(one)
    for answers in (one, other, one):
        assert await claim(answers, fingerprint="f2") == KEPT


async def test_large_answer(make: Make) -> None:
    """A response larger than the whole limit is not kept; its key is free again."""
    answers = await make()
    assert await claim(answers) is None
    await keep(answers, kept=msgspec.structs.replace(KEPT, body=b"x" * (3 << 20)))
    answers.tick(time.time())
    async with asyncio.timeout(PATIENCE):
        while await claim(answers) is not None:
            await asyncio.sleep(0.01)


async def test_names_tell_accounts_apart() -> None:
    """The same key of two accounts has two names, wherever the account ends and the key begins."""
    assert len({name_of("a", "bc"), name_of("ab", "c"), name_of("a", "c")}) == 3


async def test_dead_owner(tmp_path: Path) -> None:
    """A claim ends with its process; the remaining lock file blocks nobody."""
    answers = FileAnswers(tmp_path, asyncio.get_running_loop(), hours=1, mb=1)
    (tmp_path / "n.lock").write_text("f9")
    assert await claim(answers) is None


@pytest.mark.parametrize("rest", [b"", b"half an ans"])
async def test_broken_file(tmp_path: Path, rest: bytes) -> None:
    """An unreadable file counts as missing."""
    answers = FileAnswers(tmp_path, asyncio.get_running_loop(), hours=1, mb=1)
    (tmp_path / "n").write_bytes(rest)
    assert await claim(answers) is None
    await keep(answers)
    assert await claim(answers) == KEPT


async def test_too_old(tmp_path: Path) -> None:
    """A response expires on time, even before it is deleted."""
    answers = FileAnswers(tmp_path, asyncio.get_running_loop(), hours=1, mb=1)
    await claim(answers)
    await keep(answers)
    os.utime(tmp_path / "n", (1.0, 1.0))
    assert await claim(answers) is None


async def test_no_folder(tmp_path: Path) -> None:
    """Without a writable folder, claims are granted and nothing is stored."""
    (tmp_path / "file").touch()
    answers = FileAnswers(tmp_path / "file", asyncio.get_running_loop(), hours=1, mb=1)
    assert await claim(answers) is None
    await keep(answers)


def test_sweep(tmp_path: Path) -> None:
    """Expired files are deleted first, then the oldest down to the limit; recent locks stay."""
    for number in range(5):
        path = tmp_path / f"{number}"
        path.write_bytes(b"x" * 100)
        os.utime(path, (100.0 + number, 100.0 + number))
    (tmp_path / "old.lock").touch()
    os.utime(tmp_path / "old.lock", (1.0, 1.0))
    (tmp_path / "young.lock").touch()
    sweep(str(tmp_path), 101.5, 250)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["3", "4", "young.lock"]


async def test_sweeps_go_on_after_the_clock_was_set_back(tmp_path: Path) -> None:
    """Expired responses are deleted although the last sweep seems to be in the future."""
    answers = FileAnswers(tmp_path, asyncio.get_running_loop(), hours=1, mb=1)
    answers._swept_at = time.time()
    expired = tmp_path / "expired"
    expired.touch()
    os.utime(expired, (0, 0))
    answers.tick(time.time() - 86_400)
    await until(lambda: not expired.exists())


def test_files_are_private(tmp_path: Path) -> None:
    """Files are readable only by the gateway's user."""

    async def work() -> None:
        answers = FileAnswers(tmp_path / "new", asyncio.get_running_loop(), hours=1, mb=1)
        await claim(answers)
        await keep(answers)

    asyncio.run(work())
    assert (tmp_path / "new").stat().st_mode & 0o077 == 0
    assert (tmp_path / "new" / "n").stat().st_mode & 0o077 == 0


async def test_silent_gateway(valkey: ValkeyServer) -> None:
    """In Valkey a claim ends when its gateway stops renewing the lease, and not before."""
    await emptied(valkey)
    one = await connected(valkey, "g1", lease_seconds=3600.0)
    other = await connected(valkey, "g2")
    assert await claim(one) is None
    assert await one.client.ask(b"PEXPIRE", LEASE, b"600000") == 1
    one.tick(1e9)
    assert int(await one.client.ask(b"PTTL", LEASE)) > 600_000
    assert await claim(other) == Running("f1")
    assert await one.client.ask(b"PEXPIRE", LEASE, b"1") == 1
    async with asyncio.timeout(PATIENCE):
        while await claim(other) is not None:
            pass
    assert await claim(one) == Running("f1")
    await one.close()
    await other.close()


async def test_started_again(valkey: ValkeyServer) -> None:
    """A restarted gateway regains its own claims at once; others wait for the lease to expire."""
    await emptied(valkey)
    dead = await connected(valkey, "g1")
    assert await claim(dead) is None
    await dead.client.close()
    again = await connected(valkey, "g1")
    assert await claim(again, fingerprint="f2") is None
    await again.close()


async def test_oldest_go(valkey: ValkeyServer) -> None:
    """The total size is limited: the oldest are deleted, and the accounting stays consistent."""
    await emptied(valkey)
    answers = await connected(valkey)
    for number in range(5):
        assert await claim(answers, f"n{number}") is None
        await keep(answers, f"n{number}", msgspec.structs.replace(KEPT, body=b"x" * 300_000))
    found = [isinstance(await claim(answers, f"n{number}"), Kept) for number in range(5)]
    assert found == [False, False, True, True, True]
    sizes = await answers.client.ask(b"HVALS", b"oxlo:{answers}:sizes")
    assert int(await answers.client.ask(b"GET", b"oxlo:{answers}:bytes")) == sum(map(int, sizes))
    assert await answers.client.ask(b"PTTL", b"oxlo:{answers}:kept:n4") <= 3_600_000
    await answers.close()


@pytest.fixture
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """A separate Valkey that the test may break."""
    server = ValkeyServer(tmp_path_factory.mktemp("v")).start()
    yield server
    server.kill()


async def test_made_in_an_outage(own: ValkeyServer) -> None:
    """During an outage claims are refused; responses completed meanwhile are stored afterwards."""
    one = await connected(own, "g1")
    assert await claim(one) is None
    own.kill()
    await until(lambda: not one.client.connected)
    assert isinstance(await claim(one, "another"), LimitsUnavailable)
    done = asyncio.Event()
    one.keep("n", KEPT, done.set)
    own.start()
    await asyncio.wait_for(done.wait(), PATIENCE)
    other = await connected(own, "g2")
    assert await claim(other) == KEPT
    await one.close()
    await other.close()


async def test_full_valkey(own: ValkeyServer) -> None:
    """If Valkey is full nothing is stored, and the claim ends: a repeat makes the call again."""
    answers = await connected(own)
    assert await claim(answers) is None
    await answers.client.ask(b"CONFIG", b"SET", b"maxmemory", b"1")
    await keep(answers)
    await answers.client.ask(b"CONFIG", b"SET", b"maxmemory", b"0")
    assert await claim(answers) is None
    await answers.close()


async def test_full_disk_holds_no_key(tmp_path: Path) -> None:
    """A claim that fails on a full disk is not held: the call is made, and so is a repeat."""
    answers = FileAnswers(tmp_path, asyncio.get_running_loop(), hours=1, mb=1)
    with full_disk() as logs:
        assert await claim(answers) is None
        await keep(answers)
    assert [line["event"] for line in logs] == ["idempotency.no_claim", "idempotency.not_kept"]
    assert not any(tmp_path.iterdir())  # noqa: ASYNC240 - a folder of a test
    assert await claim(answers) is None
    await keep(answers)
    assert await claim(answers) == KEPT
