"""The cache of keys, whatever the order of control's replies."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from oxlo.errors import ApiError, Overloaded
from oxlo.gateway.auth import KNOWN_LIMIT, Keys
from oxlo.gateway.history import CHANGED_LIMIT
from oxlo.gateway.lookup import Lookup
from oxlo.plans import apikey
from oxlo.plans.caller import Caller, Changes

SECRET = b"secret"
KEY = apikey.mint(SECRET)
ANN, BOB = frozenset({"acct_ann"}), frozenset({"acct_bob"})


def _caller(as_of: int, plan: str = "free") -> Caller:
    return Caller(account="acct_ann", account_name="ann", key="key_1", plan=plan, as_of=as_of)


class Asked(Lookup):
    """Keeps what is asked, so that a test replies in the order that it wants."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "control.sock", asyncio.get_running_loop())
        self.keys: list[Callable[[Caller | ApiError | None], None]] = []
        self.polls: list[Callable[[Changes | None], object]] = []

    def key(self, digest: str, answer: Callable[[Caller | ApiError | None], None]) -> None:
        self.keys.append(answer)

    def changes(self, since: int, answer: Callable[[Changes | None], object]) -> None:
        self.polls.append(answer)


@pytest.fixture
async def asked(tmp_path: Path) -> Asked:
    """What the gateway asks."""
    return Asked(tmp_path)


@pytest.fixture
async def keys(asked: Asked) -> Keys:
    """The cache of a gateway that has heard of ten changes."""
    keys = Keys(asked, SECRET)
    _hear(keys, asked, Changes(counter=10, mark=1010))
    return keys


def _hear(keys: Keys, asked: Asked, changes: Changes) -> None:
    keys.follow()
    asked.polls[-1](changes)


def _told(since: int, counter: int, accounts: frozenset[str] | None = None) -> Changes:
    """Control's reply, from a database in which number N has the mark 1000 + N."""
    return Changes(counter=counter, accounts=accounts, mark=1000 + counter, since_mark=1000 + since)


async def test_replies_out_of_order(keys: Keys, asked: Asked) -> None:
    """Replies that were overtaken neither take back a change nor let another one be missed."""
    keys.ask(KEY, lambda _: None)
    keys.follow()
    keys.follow()
    asked.polls[2](_told(10, 13, ANN))  # revoked by 13
    keys.follow()
    asked.polls[1](_told(10, 12, ANN))
    asked.polls[3](_told(13, 13, frozenset()))
    asked.keys[0](_caller(as_of=12))  # read before it was revoked
    assert keys.change == 13
    assert keys.known(KEY) is None


async def test_overtaken_reply_outdates_nothing(keys: Keys, asked: Asked) -> None:
    """A reply from before the last change is not taken for one of a restored database."""
    keys.ask(KEY, lambda _: None)
    asked.keys[0](_caller(as_of=10))
    keys.follow()
    _hear(keys, asked, _told(10, 13, BOB))
    asked.polls[1](_told(10, 12, BOB))
    assert keys.known(KEY) == _caller(as_of=10)


async def test_look_up_before_a_change(keys: Keys, asked: Asked) -> None:
    """Whoever comes after a change is not admitted by a look-up that was asked for before it."""
    early: list[Caller | ApiError] = []
    late: list[Caller | ApiError] = []
    keys.ask(KEY, early.append)
    keys.ask(KEY, early.append)
    _hear(keys, asked, _told(10, 11, ANN))
    keys.ask(KEY, late.append)
    asked.keys[0](_caller(as_of=10))
    assert early == [_caller(as_of=10)] * 2
    assert not late
    asked.keys[1](None)
    assert len(asked.keys) == 2
    assert [type(result).__name__ for result in late] == ["InvalidApiKey"]
    assert keys.known(KEY) is None


@pytest.mark.parametrize("counter", [5, 9, 10, 11, 15])
async def test_another_history(keys: Keys, asked: Asked, counter: int) -> None:
    """Nothing is kept from before a restore, however far the database has come since."""
    keys.ask(KEY, lambda _: None)
    asked.keys[0](_caller(as_of=10))
    later = BOB if counter >= 10 else None
    mark = 2010 if counter >= 10 else None
    _hear(keys, asked, Changes(counter=counter, accounts=later, mark=9, since_mark=mark))
    assert keys.change == counter
    assert keys.known(KEY) is None


async def test_look_up_across_a_restore(keys: Keys, asked: Asked) -> None:
    """A look-up in the database that was replaced is not kept, though its number is higher."""
    keys.ask(KEY, lambda _: None)
    _hear(keys, asked, Changes(counter=5, mark=1005))
    asked.keys[0](_caller(as_of=10))
    assert keys.known(KEY) is None
    keys.ask(KEY, lambda _: None)
    asked.keys[1](_caller(as_of=5))
    assert keys.known(KEY) == _caller(as_of=5)


async def test_change_outside_the_log(keys: Keys, asked: Asked) -> None:
    """If control no longer knows the last change heard of, all keys are looked up again."""
    keys.ask(KEY, lambda _: None)
    asked.keys[0](_caller(as_of=10))
    _hear(keys, asked, Changes(counter=12, accounts=BOB, mark=1012))
    assert keys.known(KEY) is None
    keys.ask(KEY, lambda _: None)
    asked.keys[1](Overloaded("Away."))
    assert keys.known(KEY) is None
    _hear(keys, asked, Changes(counter=12, accounts=frozenset(), mark=1012, since_mark=1012))
    assert keys.change == 12


async def test_control_of_an_earlier_version(asked: Asked) -> None:
    """A control that only counts, and dates no caller, is asked about each key after a change."""
    keys = Keys(asked, SECRET)
    for number in (10, 11):
        _hear(keys, asked, Changes(counter=number))
        assert keys.known(KEY) is None
        keys.ask(KEY, lambda _: None)
        asked.keys[-1](_caller(as_of=0))
        assert keys.known(KEY) is not None
        _hear(keys, asked, Changes(counter=number))
        assert keys.known(KEY) is not None


async def test_caches_are_bounded(keys: Keys, asked: Asked) -> None:
    """However many keys are used and however many accounts change, the newest callers are kept."""
    for number in range(KNOWN_LIMIT + 1):
        keys.remember(apikey.digest(str(number)), _caller(as_of=11))
    assert keys.known("0") is None
    assert keys.known("1") == _caller(as_of=11)
    many = frozenset(f"{number}" for number in range(CHANGED_LIMIT))
    _hear(keys, asked, _told(10, 11, many))
    assert keys.known("1") == _caller(as_of=11)
    _hear(keys, asked, _told(11, 12, BOB))  # one too many
    assert keys.known("1") is None
    assert not keys._history._changed
