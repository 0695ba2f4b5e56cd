"""Validating numbers by the ranges that the catalogue defines and `/parameters` publishes."""

from typing import Any, Final

from msgspec import Struct

from oxlo.catalogue import Model
from oxlo.catalogue.parameters import PerModel, parameters
from oxlo.wire.decode import invalid
from oxlo.wire.given import given

#: (minimum, maximum); None: unbounded.
Range = tuple[float | None, float | None]

#: Values above the plan's or model's limit are lowered, not refused (D4).
CLAMPED = frozenset({"max_tokens", "max_completion_tokens"})
#: As in OpenAI's API, any integer is accepted; seeds differ only within the published range.
ANY = frozenset({"seed"})


def check_ranges(fields: Struct, model: Model) -> None:
    """Validate all numbers that were sent. Raises BadRequest that names a field and its range."""
    check_given(given(fields), model)


def check_given(given: dict[str, Any], model: Model) -> None:
    """As `check_ranges`, for fields by name."""
    ranges = _ranges.of(model)
    for name, value in given.items():
        bounds = ranges.get(name)
        if bounds is not None:
            _check(name, value, bounds)


def _check(name: str, value: float, bounds: Range) -> None:
    least, most = bounds
    if (least is not None and value < least) or (most is not None and value > most):
        raise invalid(name, f"{_expected(least, most)}, got {value:g}.")


def _of_model(model: Model) -> dict[str, Range]:
    return {
        name: (p.min, None if name in CLAMPED else p.max)
        for name, p in parameters(model).items()
        if p.type in ("float", "int") and name not in ANY
    }


_ranges: Final = PerModel(_of_model)


def _expected(least: float | None, most: float | None) -> str:
    if least is not None and least == most:
        return f"this model allows only {least:g}"
    if least is None:
        return f"expected a number of at most {most:g}"
    if most is None:
        return f"expected a number of at least {least:g}"
    return f"expected a number from {least:g} to {most:g}"
