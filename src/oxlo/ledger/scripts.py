"""The ledger's Lua scripts, each with what they share before it."""

from pathlib import Path
from typing import Final

from oxlo.valkey.script import Script

_FOLDER: Final = Path(__file__).with_name("lua")


def _script(name: str, shared: str = "account") -> Script:
    return Script((_FOLDER / f"{shared}.lua").read_bytes() + (_FOLDER / f"{name}.lua").read_bytes())


def _one_after_the_other(first: str, then: str, arguments: int, goes_on: str) -> Script:
    """Two steps as one: `first` of an account, with so many arguments, then `then` of a model.

    `then` is done where `goes_on` holds; the answer is that of `first`, and `then`'s behind it.
    """
    return Script(
        b"local said = (function(KEYS, ARGV)\n%b\nend)({KEYS[1]}, {unpack(ARGV, 1, %d)})\n"
        b"if not (%b) then return said end\n"
        b"local also = (function(KEYS, ARGV)\n%b\nend)({KEYS[2]}, {unpack(ARGV, %d)})\n"
        b"said[11], said[12] = also[1], also[2]\n"
        b"return said\n"
        % (_script(first).source, arguments, goes_on.encode(), _script(then, "model").source,
           arguments + 1)
    )  # fmt: skip


RESERVE: Final = _script("reserve")
SETTLE: Final = _script("settle")
RENEW: Final = _script("renew")
LINE: Final = _script("line")
LOOK: Final = _script("look")
BEGIN: Final = _script("begin")

TAKE: Final = _script("take", "model")
FREE: Final = _script("free", "model")
HOLD: Final = _script("hold", "model")

#: A reservation, and once it is made a slot or a place in the model's line.
ADMIT: Final = _one_after_the_other("reserve", "take", 9, "said[1] == 1")
#: A settlement, and whatever came of it the slot is free.
FINISH: Final = _one_after_the_other("settle", "free", 7, "true")

ALL: Final = (RESERVE, SETTLE, RENEW, LINE, LOOK, BEGIN, TAKE, FREE, HOLD, ADMIT, FINISH)

#: What a script answers first.
ADMITTED: Final = 1
WAITS: Final = 2
DAY_USED: Final = 3
MINUTE_USED: Final = 4
LINE_FULL: Final = 5
NOT_COUNTED: Final = 6
