"""What a model's requests may say, and how `/v1/models` shows a model."""

from collections.abc import Callable
from typing import Generic, Literal, TypeVar

from oxlo.catalogue.abilities import shared
from oxlo.catalogue.model import Model, Parameter

T = TypeVar("T")


def parameters(model: Model) -> dict[str, Parameter]:
    """The model's parameters by name: those of its abilities, then its own, which win."""
    return {**shared(model.abilities), **model.parameters}


class PerModel(Generic[T]):
    """What is worked out once for each model, on its first use."""

    def __init__(self, work_out: Callable[[Model], T]) -> None:
        self._work_out = work_out
        # The model is kept too, so that its id stays its own; a model cannot be hashed.
        self._known: dict[int, tuple[Model, T]] = {}

    def __call__(self, model: Model) -> T:
        """What was worked out for this model."""
        found = self._known.get(id(model))
        if found is None:
            found = self._known[id(model)] = (model, self._work_out(model))
        return found[1]


def describe(model: Model) -> dict[str, object]:
    """The body of `GET /v1/models/{id}/parameters`."""
    return {
        "model_id": model.id,
        "model_name": model.name,
        "category": model.category,
        "context_length": model.context_length or None,
        "parameters": {name: _shown(value) for name, value in parameters(model).items()},
    }


def entry(
    model: Model, *, status: Literal["ready", "starting", "unavailable"], warm: bool
) -> dict[str, object]:
    """The model as one item of `GET /v1/models`: OpenAI's fields, then ours."""
    return {
        "id": model.id,
        "object": "model",
        "created": model.created,
        "owned_by": model.owned_by,
        "name": model.name,
        "display_name": model.name,
        "category": model.category,
        "tier": model.tier,
        "status": status,
        "warm": warm,
        "coming_soon": False,
        "context_length": model.context_length or None,
        "capabilities": sorted(model.abilities),
        "aliases": list(model.aliases),
        "licence": model.licence,
    }


def _shown(parameter: Parameter) -> dict[str, object]:
    """As published: `min`, `max` and `default` are there even when null, others only when set."""
    shown: dict[str, object] = {
        "type": parameter.type,
        "min": _number(parameter.min),
        "max": _number(parameter.max),
        "default": parameter.default,
    }
    if parameter.step is not None:
        shown["step"] = _number(parameter.step)
    if parameter.choices:
        shown["choices"] = list(parameter.choices)
    return shown | {"section": parameter.section, "description": parameter.description}


def _number(value: float | None) -> float | int | None:
    """Whole numbers without a fraction: a form that reads `max: 4.0` shows it so."""
    return int(value) if value is not None and value == int(value) else value
