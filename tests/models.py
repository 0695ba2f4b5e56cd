"""Models as tests need them: what a test does not speak of has a value that says nothing."""

from collections.abc import Iterable
from typing import Any

from oxlo.catalogue import Model


def model(id: str = "m", abilities: Iterable[str] = ("chat",), **fields: Any) -> Model:  # noqa: A002
    """A free chat model, but for what is said."""
    plain = {"name": id.upper(), "category": "chat", "tier": "free", "description": ""}
    unsaid = plain | {"licence": "", "homepage": "", "created": 1}
    return Model(id=id, abilities=frozenset(abilities), **unsaid | fields)
