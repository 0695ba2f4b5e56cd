"""The request parameters of a model, and its representation in `/v1/models`."""

from collections.abc import Callable, Iterable
from typing import Generic, Literal, TypeVar

import msgspec

from oxlo.catalogue.abilities import shared
from oxlo.catalogue.model import Model, Parameter, Voice

T = TypeVar("T")


def parameters(model: Model) -> dict[str, Parameter]:
    """The model's parameters by name: those of its abilities, overridden by its own."""
    found = {**shared(model.abilities), **model.parameters}
    if model.voices and "voice" in found:
        found["voice"] = msgspec.structs.replace(found["voice"], choices=voice_names(model))
    return found


def voice_names(model: Model) -> tuple[str, ...]:
    """The names of a voice that requests may use: its id and aliases."""
    return tuple(name for voice in model.voices for name in (voice.id, *voice.aliases))


class PerModel(Generic[T]):
    """Computes a value once per model, on first use."""

    def __init__(self, work_out: Callable[[Model], T]) -> None:
        self._work_out = work_out
        # Models are not hashable; keeping the model ensures that its id() is not reused.
        self._known: dict[int, tuple[Model, T]] = {}

    def of(self, model: Model) -> T:
        """The value for a model."""
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
    """A model as an item of `GET /v1/models`: OpenAI's fields, then ours."""
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
        "built_on": list(model.built_on),
        "licence": model.licence,
    }


def voices(models: Iterable[Model]) -> dict[str, object]:
    """The body of `GET /v1/audio/voices`: an OpenAI list, and the ids alone."""
    listed = [_voice(voice, model) for model in models for voice in model.voices]
    return {"object": "list", "data": listed, "voices": [voice["id"] for voice in listed]}


def _voice(voice: Voice, model: Model) -> dict[str, object]:
    return {
        "id": voice.id,
        "object": "audio.voice",
        "name": voice.name,
        "language": voice.language,
        "gender": voice.gender,
        "aliases": list(voice.aliases),
        "model": model.id,
    }


def _shown(parameter: Parameter) -> dict[str, object]:
    """As published: `min`, `max` and `default` always, other fields only if set."""
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
    """Whole numbers as integers, so that forms do not show `4.0`."""
    return int(value) if value is not None and value == int(value) else value
