"""The ledger's Lua scripts, each with what they share before it."""

from pathlib import Path
from typing import Final

from oxlo.valkey.script import Script

_FOLDER: Final = Path(__file__).with_name("lua")


def _script(name: str, shared: str = "account") -> Script:
    return Script((_FOLDER / f"{shared}.lua").read_bytes() + (_FOLDER / f"{name}.lua").read_bytes())


RESERVE: Final = _script("reserve")
SETTLE: Final = _script("settle")
RENEW: Final = _script("renew")
LINE: Final = _script("line")
LOOK: Final = _script("look")
BEGIN: Final = _script("begin")

TAKE: Final = _script("take", "model")
FREE: Final = _script("free", "model")
HOLD: Final = _script("hold", "model")

ALL: Final = (RESERVE, SETTLE, RENEW, LINE, LOOK, BEGIN, TAKE, FREE, HOLD)

#: What a script answers first.
ADMITTED: Final = 1
WAITS: Final = 2
DAY_USED: Final = 3
MINUTE_USED: Final = 4
LINE_FULL: Final = 5
NOT_COUNTED: Final = 6
