"""The ranges of numbers, from the catalogue: what `/parameters` publishes is what is applied."""

from typing import Any

from oxlo.catalogue import Model
from oxlo.catalogue.parameters import PerModel, parameters
from oxlo.wire.decode import invalid

#: (field, least, most); None is no bound.
Check = tuple[str, float | None, float | None]

#: More than the plan or the model allows is lowered, not refused (D4).
_CLAMPED = frozenset({"max_tokens", "max_completion_tokens"})
#: Any whole number will do, as at OpenAI; the published range is where seeds differ.
_ANY = frozenset({"seed"})


def check_ranges(request: Any, model: Model) -> None:
    """Check each number that was sent. Raises BadRequest naming the field and its range."""
    for name, least, most in _checks(model):
        value = getattr(request, name, None)
        if value is None:
            continue
        if (least is not None and value < least) or (most is not None and value > most):
            raise invalid(name, f"expected a number {_words(least, most)}, got {value:g}.")


def _find(model: Model) -> tuple[Check, ...]:
    return tuple(
        (name, p.min, None if name in _CLAMPED else p.max)
        for name, p in parameters(model).items()
        if p.type in ("float", "int") and name not in _ANY
    )


_checks = PerModel(_find)


def _words(least: float | None, most: float | None) -> str:
    if least is None:
        return f"of at most {most:g}"
    return f"of at least {least:g}" if most is None else f"from {least:g} to {most:g}"
