"""What every kind of engine knows: how one is started, and how its own words are read."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from oxlo.catalogue import Model, Variant
from oxlo.errors import OperatorError
from oxlo.hardware.sizing import Machine
from oxlo.settings import Settings


class CannotLaunch(OperatorError):
    """The engine cannot be started as things are; the message tells the operator what to do."""


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """What an engine is to be, before its kind has decided anything."""

    model: Model
    variant: Variant
    settings: Settings
    #: Files and folders that are here; empty: it runs elsewhere.
    weights: Sequence[Path]
    #: Its own part, all of which it may use.
    machine: Machine

    @property
    def device(self) -> Literal["cpu", "cuda"]:
        """Where its variant computes."""
        return "cuda" if self.variant.cards else "cpu"


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """One engine, ready to be started: everything was decided before."""

    model: str
    kind: str
    #: How it speaks; also says where its health and progress are (`engines/probe.py`).
    dialect: str
    engine_model: str
    slots: int
    context_length: int
    #: Tokens of prompts that its cache holds; 0: it does not say.
    cache_tokens: int = 0
    #: What it will take of the machine's memory, MiB; 0: what its variant says.
    memory_mb: int = 0
    #: Which build of its program it is; "": it says so itself.
    build: str = ""
    #: Above 0: it gets calls only while no engine of a lower number has a slot and works.
    overflow: int = 0
    #: Of the model's: warm-up exercises each.
    abilities: frozenset[str] = frozenset()
    #: Bearer token of the engine.
    api_key: str = ""
    #: The child process; empty: the engine runs elsewhere, at `address`.
    argv: tuple[str, ...] = ()
    #: One line for the child's stdin; keys travel here, never in argv.
    config: bytes = b""
    #: What its environment holds beside ours: which GPUs it may use.
    environment: dict[str, str] = {}
    #: Seconds until it has to listen, and those that it gets to end before it is killed.
    start_seconds: float = 300.0
    stop_seconds: float = 5.0
    address: str = ""
    #: Whether real requests are sent before it counts as ready.
    warm: bool = True
    #: The decided arguments, logged at each start: no engine default is hidden.
    arguments: dict[str, object] = {}


class Kind(Protocol):
    """One kind of engine."""

    name: str

    def launch(self, spec: EngineSpec) -> Launch:
        """Decide everything about one engine. Raises CannotLaunch."""
        ...

    def explain(self, log: Sequence[str]) -> str:
        """The one line of an engine's log that says why it failed; "" when there is none."""
        ...
