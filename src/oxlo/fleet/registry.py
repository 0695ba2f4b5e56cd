"""The list of replicas: the fleet writes it, gateways read it."""

import os
from enum import StrEnum
from pathlib import Path

import msgspec


class ReplicaState(StrEnum):
    """Where a replica is in its life; only READY ones are given new calls."""

    STARTING = "starting"  #: the process is up, or being started
    WARMING = "warming"  #: it answers, and real warm-up requests are running
    READY = "ready"
    DRAINING = "draining"  #: finishes what it has, takes nothing new
    SICK = "sick"  #: had work and made no progress, or its process died; being restarted
    STOPPED = "stopped"


class Replica(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One engine that serves one model."""

    id: str
    model: str
    #: Engine kind: llamacpp, upstream, ...
    kind: str
    #: How it speaks: llamacpp, vllm or openai.
    dialect: str
    #: Base URL whose paths are `/v1/...`: `http://127.0.0.1:40123` (no trailing slash, no `/v1`).
    address: str
    #: The model's name there.
    engine_model: str
    slots: int
    #: Tokens of context in one slot.
    context_length: int
    state: ReplicaState
    #: Why it is in this state, for operators.
    reason: str = ""
    #: Rises with each start of the replica's process: a higher one replaces a lower one.
    generation: int = 1
    #: Tokens of prompts that its cache holds; 0: nobody has said.
    cache_tokens: int = 0
    #: Which build of its program it is; "": it says so itself.
    build: str = ""
    #: Above 0: it gets calls only while no replica of a lower number has a slot and works.
    overflow: int = 0
    #: Bearer token that the engine asks for.
    api_key: str = ""
    #: When the state was entered, unix seconds.
    since: float = 0.0
    #: First warm-up request and median of the rest, milliseconds.
    first_ms: float | None = None
    warm_ms: float | None = None


class ReplicaList(msgspec.Struct, frozen=True):
    """What the replicas file holds."""

    written: float
    replicas: tuple[Replica, ...]
    #: Engines that have to be ready, by model.
    minimum: dict[str, int] = {}


def write(path: Path, replicas: ReplicaList) -> None:
    """Replace the file in one step; it holds engine keys, so only its owner reads it."""
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    draft.touch(mode=0o600)
    draft.write_bytes(msgspec.json.encode(replicas))
    draft.replace(path)


def read(path: Path) -> ReplicaList:
    """The list as last written; an absent file is an empty list."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=ReplicaList)
    except FileNotFoundError:
        return ReplicaList(0.0, ())
