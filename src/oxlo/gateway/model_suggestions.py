"""Suggestions of other models, for clients that chose one that cannot serve them."""

from collections.abc import Callable, Iterable

from oxlo.catalogue import Catalogue, Model
from oxlo.errors import ApiError, ModelNotDeployed, ModelNotFound, UnsupportedAbility
from oxlo.gateway.backends import Backends
from oxlo.gateway.endpoints import INFERENCE, Endpoint

#: Maximum number of names in a message.
_MOST = 10
#: Abilities that models at the same endpoint may lack.
_NOTABLE = ("vision", "reasoning")


class ModelSuggestions:
    """Suggests models from the catalogue and from what is ready."""

    def __init__(self, catalogue: Catalogue, backends: Backends) -> None:
        self._catalogue = catalogue
        self._backends = backends

    def wrong_endpoint(self, model: Model, endpoint: Endpoint) -> ApiError:
        """The error for a model of another endpoint: where it answers, and what answers here."""
        paths = [e.path for e in INFERENCE if e.ability in model.abilities]
        own = f", but at {' and '.join(paths)}" if paths else ""
        others = self._alternatives(lambda other: endpoint.ability in other.abilities)
        return UnsupportedAbility(
            f"{model.id} does not answer at {endpoint.path}{own}. {others}",
            param="model",
            code="wrong_endpoint",
        )

    def unknown(self, error: ModelNotFound, endpoint: Endpoint) -> ModelNotFound:
        """The same error, with the models ready at this endpoint."""
        ready = self._ready(lambda other: endpoint.ability in other.abilities)
        if not ready:
            return error
        return ModelNotFound(f"{error.message} Ready now: {_some(ready)}.", param=error.param)

    def unable(self, error: UnsupportedAbility) -> ApiError:
        """The same error, with the models that have the ability."""
        others = self._alternatives(lambda other: error.extra["ability"] in other.abilities)
        return UnsupportedAbility(f"{error.message} {others}", param=error.param, **error.extra)

    def not_deployed(self, model: Model, endpoint: Endpoint) -> ApiError:
        """Suggest ready models with the same abilities, else of the same category, else any.

        What none of them can do is named, with the ready models that can: the client may need it.
        """
        ready = self._ready(lambda other: endpoint.ability in other.abilities)
        able = [m for m in ready if model.abilities <= m.abilities]
        alike = [m for m in ready if m.category == model.category]
        if ready:
            instead = _instead(model, able or alike or ready, ready)
        else:
            instead = f"No model that is ready here answers at {endpoint.path}."
        return ModelNotDeployed(
            f"This installation does not serve {model.id}{_default(model, endpoint)}. {instead}",
            param="model",
        )

    def _alternatives(self, can: Callable[[Model], bool]) -> str:
        """A sentence that lists the ready models that can, else those of the catalogue."""
        if ready := self._ready(can):
            return f"These do: {_some(ready)}."
        if known := [model for model in self._catalogue if can(model)]:
            could = _some(known)
            return f"None that is ready here does; of the catalogue, these could: {could}."
        return "No model here does."

    def _ready(self, can: Callable[[Model], bool]) -> list[Model]:
        return [m for m in self._catalogue if can(m) and self._backends.is_ready(m.id)]


def _default(model: Model, endpoint: Endpoint) -> str:
    """A clause if the model is the endpoint's default: the client may not have named it."""
    if endpoint.default_model not in (model.id, *model.aliases):
        return ""
    return ", the default if a request names no 'model'"


def _instead(model: Model, named: list[Model], ready: list[Model]) -> str:
    """A sentence that names models, what they lack beside `model`, and the ready ones with that."""
    missing = _missing(model, named)
    lacking = f" (without {', '.join(missing)})" if missing else ""
    return f"Ready now: {_some(named)}{lacking}{_having(missing, ready)}."


def _missing(model: Model, others: list[Model]) -> list[str]:
    """The notable abilities of `model` that all of `others` lack."""
    return [
        a for a in _NOTABLE if a in model.abilities and all(a not in m.abilities for m in others)
    ]


def _having(abilities: list[str], ready: list[Model]) -> str:
    """Clauses that name the ready models with each of the abilities, where there are any."""
    having = {ability: [m for m in ready if ability in m.abilities] for ability in abilities}
    return "".join(f"; with {a}: {_some(models)}" for a, models in having.items() if models)


def _some(models: Iterable[Model]) -> str:
    return ", ".join(sorted(model.id for model in models)[:_MOST]) or "none"
