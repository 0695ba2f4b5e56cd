"""The ledger's Lua scripts, each with what they share before it."""

from pathlib import Path
from typing import Final

from oxlo.valkey.script import Script

_FOLDER: Final = Path(__file__).with_name("lua")


def _text(name: str, shared: str = "account") -> bytes:
    return (_FOLDER / f"{shared}.lua").read_bytes() + (_FOLDER / f"{name}.lua").read_bytes()


def _script(name: str, shared: str = "account") -> Script:
    return Script(_text(name, shared))


def _two_steps(first: str, then: str, both: bytes) -> Script:
    """A step of an account and one of a model; `both` says in Lua how they follow each other."""
    steps = (b"of_account", _text(first)), (b"of_model", _text(then, "model"))
    functions = b"".join(b"local function %b(KEYS, ARGV)\n%b\nend\n" % step for step in steps)
    return Script(functions + both)


RESERVE: Final = _script("reserve")
SETTLE: Final = _script("settle")
RENEW: Final = _script("renew")
LINE: Final = _script("line")
LOOK: Final = _script("look")
BEGIN: Final = _script("begin")

TAKE: Final = _script("take", "model")
FREE: Final = _script("free", "model")
HOLD: Final = _script("hold", "model")

#: A reservation, and once it is made a slot or a place in the model's line. The arguments are those
#: of both, at one moment; what `take` answers stands behind what `reserve` does.
ADMIT: Final = _two_steps(
    "reserve",
    "take",
    b"""\
local said = of_account(KEYS, ARGV)
if said[1] == 1 then
  local also = of_model({KEYS[2]}, {said[2], unpack(ARGV, 11)})
  said[11], said[12] = also[1], also[2]
end
return said
""",
)
#: A settlement, and whatever came of it the slot is free. The arguments are those of `settle` and
#: the replica.
FINISH: Final = _two_steps(
    "settle",
    "free",
    b"""\
local now = of_account(KEYS, ARGV)
of_model({KEYS[2]}, {now, ARGV[2], ARGV[8]})
return now
""",
)

ALL: Final = (RESERVE, SETTLE, RENEW, LINE, LOOK, BEGIN, TAKE, FREE, HOLD, ADMIT, FINISH)

#: What a script answers first.
ADMITTED: Final = 1
WAITS: Final = 2
DAY_USED: Final = 3
MINUTE_USED: Final = 4
LINE_FULL: Final = 5
NOT_COUNTED: Final = 6
