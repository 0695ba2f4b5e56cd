"""The ranges of numbers, from the catalogue: what `/parameters` publishes is what is applied."""

import msgspec

from oxlo.catalogue import Model
from oxlo.catalogue.parameters import PerModel, parameters
from oxlo.wire.decode import invalid

#: (field, least, most); None is no bound.
Check = tuple[str, float | None, float | None]

#: More than the plan or the model allows is lowered, not refused (D4).
_CLAMPED = frozenset({"max_tokens", "max_completion_tokens"})
#: Any whole number will do, as at OpenAI; the published range is where seeds differ.
_ANY = frozenset({"seed"})


def check_ranges(request: msgspec.Struct, model: Model) -> None:
    """Check each number that was sent. Raises BadRequest naming the field and its range."""
    values = msgspec.structs.astuple(request)
    for index, check in _checks(model).of(type(request)):
        if values[index] is not None:
            _check(values[index], check)


def _check(value: float, check: Check) -> None:
    name, least, most = check
    if (least is not None and value < least) or (most is not None and value > most):
        raise invalid(name, f"expected a number {_words(least, most)}, got {value:g}.")


class _Checks:
    """What to check for one model, and where it stands in each kind of request."""

    def __init__(self, model: Model) -> None:
        self._checks = tuple(
            (name, p.min, None if name in _CLAMPED else p.max)
            for name, p in parameters(model).items()
            if p.type in ("float", "int") and name not in _ANY
        )
        self._kinds: dict[type[msgspec.Struct], tuple[tuple[int, Check], ...]] = {}

    def of(self, kind: type[msgspec.Struct]) -> tuple[tuple[int, Check], ...]:
        found = self._kinds.get(kind)
        if found is None:
            at = {name: index for index, name in enumerate(kind.__struct_fields__)}
            found = tuple((at[c[0]], c) for c in self._checks if c[0] in at)
            self._kinds[kind] = found
        return found


_checks = PerModel(_Checks)


def _words(least: float | None, most: float | None) -> str:
    if least is None:
        return f"of at most {most:g}"
    return f"of at least {least:g}" if most is None else f"from {least:g} to {most:g}"
