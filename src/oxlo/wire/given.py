"""Which fields of a request were sent."""

from typing import Any, Final

from msgspec import UNSET, Raw, Struct
from msgspec.structs import astuple

from oxlo.wire.decode import sent

_UNSET: Final = UNSET
_RAW: Final = Raw
_values: Final = astuple


def given(fields: Struct) -> dict[str, Any]:
    """Values by name; null means absent."""
    names, found = fields.__struct_fields__, {}
    for index, value in enumerate(_values(fields)):
        if value is None or value is _UNSET or (type(value) is _RAW and not sent(value)):
            continue
        found[names[index]] = value
    return found
