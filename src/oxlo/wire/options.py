"""Looking up the allowed values of a field, for errors."""

import re
from typing import Any

from msgspec import inspect

_PLAIN = (
    inspect.BoolType, inspect.FloatType, inspect.IntType, inspect.LiteralType, inspect.NoneType,
    inspect.StrType,
)  # fmt: skip
_STEP = re.compile(r"\.(\w+)|\[")


def options(kind: Any, path: str) -> tuple[str, ...]:
    """The allowed values at `path` (`.response_format.type`, `[...].role`), if they are limited."""
    kinds = [inspect.type_info(kind)]
    for step in _STEP.finditer(path):
        kinds = [child for kind in kinds for child in _children(kind, step[1])]
    values = [value for kind in kinds for value in _values(kind)]
    return tuple(str(value) for value in values)


def is_plain(kind: Any, path: str) -> bool:
    """Whether `path` (`.size`) is a top-level field that is not an object or list."""
    found = _children(inspect.type_info(kind), path.removeprefix("."))
    return bool(found) and all(
        isinstance(each, _PLAIN) for kind in found for each in _alternatives(kind)
    )


def _children(kind: inspect.Type, name: str | None) -> list[inspect.Type]:
    """The types of a field, or of items if `name` is None."""
    found: list[inspect.Type] = []
    for each in _alternatives(kind):
        if isinstance(each, inspect.StructType):
            found += [field.type for field in each.fields if field.encode_name == name]
        elif isinstance(each, inspect.ListType) and name is None:
            found.append(each.item_type)
    return found


def _values(kind: inspect.Type) -> list[Any]:
    found: list[Any] = []
    for each in _alternatives(kind):
        if isinstance(each, inspect.LiteralType):
            found += each.values
    return found


def _alternatives(kind: inspect.Type) -> tuple[inspect.Type, ...]:
    return kind.types if isinstance(kind, inspect.UnionType) else (kind,)
