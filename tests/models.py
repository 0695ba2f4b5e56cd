"""Builds models for tests, with neutral defaults."""

from collections.abc import Iterable
from typing import Any

from oxlo.catalogue import Model


def model(id: str = "m", abilities: Iterable[str] = ("chat",), **fields: Any) -> Model:  # noqa: A002
    """Build a model; the default is a free chat model."""
    plain = {"name": id.upper(), "category": "chat", "tier": "free", "description": ""}
    unsaid = plain | {"licence": "", "homepage": "", "created": 1}
    return Model(id=id, abilities=frozenset(abilities), **unsaid | fields)
