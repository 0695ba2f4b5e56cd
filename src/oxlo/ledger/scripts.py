"""The ledger's Lua scripts, each prefixed with their shared functions."""

from pathlib import Path
from typing import Final

from oxlo.valkey.script import Script

_FOLDER: Final = Path(__file__).with_name("lua")


def _text(name: str, shared: str = "account") -> bytes:
    return (_FOLDER / f"{shared}.lua").read_bytes() + (_FOLDER / f"{name}.lua").read_bytes()


def _script(name: str, shared: str = "account") -> Script:
    return Script(_text(name, shared))


def _two_steps(first: str, then: str, both: bytes) -> Script:
    """Combine an account's step and a model's step in one script; `both` is Lua that runs them."""
    steps = (b"of_account", _text(first)), (b"of_model", _text(then, "model"))
    functions = b"".join(b"local function %b(KEYS, ARGV)\n%b\nend\n" % step for step in steps)
    return Script(functions + both)


RESERVE: Final = _script("reserve")
SETTLE: Final = _script("settle")
RENEW: Final = _script("renew")
LINE: Final = _script("line")
STANDING: Final = _script("standing")
BEGIN: Final = _script("begin")

TAKE: Final = _script("take", "model")
FREE: Final = _script("free", "model")
HOLD: Final = _script("hold", "model")

#: A reservation and, if it succeeds, a slot or a place in the model's queue. Takes the arguments of
#: both scripts for the same point in time; the reply of `take` follows that of `reserve`.
ADMIT: Final = _two_steps(
    "reserve",
    "take",
    b"""\
local reply = of_account(KEYS, ARGV)
if reply[1] == 1 then
  local second = of_model({KEYS[2]}, {reply[2], unpack(ARGV, 11)})
  reply[11], reply[12] = second[1], second[2]
end
return reply
""",
)
#: A settlement; the slot is freed whatever its result. Takes the arguments of `settle` and the
#: replica.
FINISH: Final = _two_steps(
    "settle",
    "free",
    b"""\
local now = of_account(KEYS, ARGV)
of_model({KEYS[2]}, {now, ARGV[2], ARGV[8]})
return now
""",
)

ALL: Final = (RESERVE, SETTLE, RENEW, LINE, STANDING, BEGIN, TAKE, FREE, HOLD, ADMIT, FINISH)

#: The first item of a script's reply.
ADMITTED: Final = 1
WAITS: Final = 2
DAY_USED: Final = 3
MINUTE_USED: Final = 4
QUEUE_FULL: Final = 5
NOT_COUNTED: Final = 6
