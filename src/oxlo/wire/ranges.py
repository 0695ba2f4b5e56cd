"""The ranges of numbers, from the catalogue: what `/parameters` publishes is what is applied."""

from typing import Any, Final

from msgspec import Struct

from oxlo.catalogue import Model
from oxlo.catalogue.parameters import PerModel, parameters
from oxlo.wire.decode import invalid
from oxlo.wire.given import given

#: (least, most); None is no bound.
Range = tuple[float | None, float | None]

#: More than the plan or the model allows is lowered, not refused (D4).
CLAMPED = frozenset({"max_tokens", "max_completion_tokens"})
#: Any whole number will do, as at OpenAI; the published range is where seeds differ.
ANY = frozenset({"seed"})


def check_ranges(fields: Struct, model: Model) -> None:
    """Check each number that was sent. Raises BadRequest naming the field and its range."""
    check_given(given(fields), model)


def check_given(given: dict[str, Any], model: Model) -> None:
    """The same, of the fields that were given."""
    ranges = _ranges.of(model)
    for name, value in given.items():
        bounds = ranges.get(name)
        if bounds is not None:
            _check(name, value, bounds)


def _check(name: str, value: float, bounds: Range) -> None:
    least, most = bounds
    if (least is not None and value < least) or (most is not None and value > most):
        raise invalid(name, f"expected a number {_words(least, most)}, got {value:g}.")


def _of_model(model: Model) -> dict[str, Range]:
    return {
        name: (p.min, None if name in CLAMPED else p.max)
        for name, p in parameters(model).items()
        if p.type in ("float", "int") and name not in ANY
    }


_ranges: Final = PerModel(_of_model)


def _words(least: float | None, most: float | None) -> str:
    if least is not None and least == most:
        return f"that is {least:g}"
    if least is None:
        return f"of at most {most:g}"
    return f"of at least {least:g}" if most is None else f"from {least:g} to {most:g}"
