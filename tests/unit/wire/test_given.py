"""The fields that were sent."""

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from oxlo.wire.given import given


class Fields(Struct):
    first: int | None = None
    second: str | None = None
    third: Raw | UnsetType = UNSET
    fourth: Raw | UnsetType = UNSET


def test_only_what_was_sent() -> None:
    """Fields that are absent or null are left out, undecoded ones too; 0 and "" are values."""
    fields = msgspec.json.decode(b'{"second":"","first":0,"third":null,"fourth":[1]}', type=Fields)
    assert given(fields) == {"first": 0, "second": "", "fourth": Raw(b"[1]")}
    assert given(Fields()) == {}
