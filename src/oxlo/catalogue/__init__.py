"""The model catalogue: one TOML file per model, validated by these types."""

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from oxlo.catalogue import abilities
from oxlo.catalogue.model import (
    Ability,
    Category,
    Hardware,
    Model,
    Parameter,
    Repository,
    Source,
    Variant,
    Voice,
    WeightsFile,
)
from oxlo.errors import ModelNotFound

__all__ = [
    "THE_OTHERS",
    "Ability",
    "Catalogue",
    "Category",
    "Hardware",
    "Model",
    "Parameter",
    "Repository",
    "Source",
    "Variant",
    "Voice",
    "WeightsFile",
    "fold",
    "load",
    "read",
]

#: End of every error about an unknown model.
THE_OTHERS = "GET /v1/models lists those that do."


class Catalogue:
    """Models by id and alias."""

    def __init__(self, models: Iterable[Model]) -> None:
        self._models = {model.id: model for model in models}
        self._names: dict[str, str | None] = {}
        for model in self._models.values():
            for name in (model.id, *model.aliases):
                self._add(name, model.id)

    def _add(self, name: str, model_id: str) -> None:
        self._names.setdefault(name, model_id)
        folded = fold(name)
        known = self._names.setdefault(folded, model_id)
        if known != model_id and folded != name:
            self._names[folded] = None  # ambiguous after folding: only exact names match

    def __iter__(self) -> Iterator[Model]:
        return iter(self._models.values())

    def __len__(self) -> int:
        return len(self._models)

    def get(self, model_id: str) -> Model | None:
        """Look up a model by its exact id."""
        return self._models.get(model_id)

    def resolve(self, name: str) -> Model:
        """Look up a model by id or alias, ignoring case, spaces, `_`, `.` and `-`.

        Raises ModelNotFound with similar names.
        """
        model_id = self._names.get(name) or self._names.get(fold(name))
        if model_id is None:
            raise ModelNotFound(self._unknown(name), param="model")
        return self._models[model_id]

    def similar(self, name: str) -> list[str]:
        """Ids of models with similar names; the only one if just a vendor's prefix is too much."""
        own = self._names.get(fold(_without_vendor(name)))
        return [own] if own else difflib.get_close_matches(name.lower(), self._models, 3, 0.5)

    def _unknown(self, name: str) -> str:
        close = self.similar(name)
        hint = f" Did you mean {', '.join(close)}?" if close else ""
        return f"The model {name[:100]!r} does not exist.{hint} {THE_OTHERS}"


def fold(name: str) -> str:
    """Fold a name's case and separators: `DeepSeek R1_8b` becomes `deepseekr18b`."""
    return re.sub(r"[\s_.\-]+", "", name.lower())


def _without_vendor(name: str) -> str:
    """The model's part of a router's name: `meta-llama/llama-3.3-70b:free`."""
    return name.rpartition("/")[2].partition(":")[0]


def load(extra: Path | None = None) -> Catalogue:
    """Load the shipped models and those in the folder `extra`, which take precedence.

    Raises msgspec.ValidationError that names the file and the field.
    """
    files = sorted(Path(__file__).with_name("models").glob("*.toml"))
    files += sorted(extra.glob("*.toml")) if extra and extra.is_dir() else []
    models = {model.id: model for model in map(read, files)}
    return Catalogue(models.values())


def read(path: Path) -> Model:
    """Read a model file. Raises msgspec.ValidationError that names the file and the field."""
    try:
        return msgspec.convert(_whole(tomllib.loads(path.read_text())), Model, dec_hook=_decode)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise msgspec.ValidationError(f"{path}: {error}") from error


def _whole(said: dict[str, Any]) -> dict[str, Any]:
    """The file's contents with defaults filled in."""
    shared = abilities.said(said.get("abilities", ()))
    own = said.get("parameters", {})
    return said | {
        "parameters": {name: shared.get(name, {}) | own[name] for name in own},
        "variants": [one for variant in said.get("variants", ()) for one in _each(variant)],
    }


def _each(variant: dict[str, Any]) -> list[dict[str, Any]]:
    """One variant per kind of hardware, if the file names several."""
    hardware = variant.get("hardware")
    kinds = hardware if isinstance(hardware, list) else [hardware]
    return [variant | {"hardware": kind} for kind in kinds]


def _decode(kind: type, value: object) -> object:
    if kind is Path:
        return Path(str(value)).expanduser()
    raise NotImplementedError(kind)
