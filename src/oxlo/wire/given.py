"""The fields of a request that were sent: all that is made of it goes by these few."""

from typing import Any

from msgspec import UNSET, Raw, Struct
from msgspec.structs import astuple

from oxlo.wire.decode import sent


def given(fields: Struct) -> dict[str, Any]:
    """Their values by name; null is absent."""
    unset, found = UNSET, {}
    for index, value in enumerate(astuple(fields)):
        if value is None or value is unset or (type(value) is Raw and not sent(value)):
            continue
        found[fields.__struct_fields__[index]] = value
    return found
