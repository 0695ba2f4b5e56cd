"""The interface of an engine kind: launching an engine, and explaining why it failed."""

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
    """What to launch, before the engine kind has filled in its arguments."""

    model: Model
    variant: Variant
    settings: Settings
    #: Local files and folders; empty for an engine that runs elsewhere.
    weights: Sequence[Path]
    #: The part of the machine that this engine may use.
    machine: Machine

    @property
    def device(self) -> Literal["cpu", "cuda"]:
        """The device of its variant."""
        return "cuda" if self.variant.cards else "cpu"


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """One engine with all arguments decided, ready to start."""

    model: str
    kind: str
    #: Its API dialect; also selects the health probe (`engines/probe.py`).
    dialect: str
    engine_model: str
    slots: int
    context_length: int
    #: Capacity of its prompt cache in tokens; 0: unknown.
    cache_tokens: int = 0
    #: Expected memory in MiB; 0: as its variant declares.
    memory_mb: int = 0
    #: Build of the engine's program; "": the engine reports it.
    build: str = ""
    #: Above 0: it gets requests only while no healthy engine with a lower number has a free slot.
    overflow: int = 0
    #: The model's abilities, each of which warm-up exercises.
    abilities: frozenset[str] = frozenset()
    #: Bearer token that the engine requires.
    api_key: str = ""
    #: Command of the child process; empty: the engine runs elsewhere, at `address`.
    argv: tuple[str, ...] = ()
    #: One line for the child's stdin; secrets go here, never into argv.
    config: bytes = b""
    #: Additional environment variables, such as the visible GPUs.
    environment: dict[str, str] = {}
    #: Timeouts in seconds: until it listens, and from SIGTERM to SIGKILL.
    start_seconds: float = 300.0
    stop_seconds: float = 5.0
    address: str = ""
    #: Whether to send real requests before it counts as ready.
    warm: bool = True
    #: All arguments, logged at each start, so that no engine default is hidden.
    arguments: dict[str, object] = {}


class Kind(Protocol):
    """One kind of engine."""

    name: str

    def launch(self, spec: EngineSpec) -> Launch:
        """Decide all arguments of one engine. Raises CannotLaunch."""
        ...

    def explain(self, log: Sequence[str]) -> str:
        """The log line that explains why the engine failed; "" if there is none."""
        ...
