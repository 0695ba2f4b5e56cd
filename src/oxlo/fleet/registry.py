"""The list of replicas, written by the fleet and read by gateways."""

import os
from enum import StrEnum
from pathlib import Path

import msgspec


class ReplicaState(StrEnum):
    """The state of a replica; only READY ones get new requests."""

    STARTING = "starting"  #: the process is up, or being started
    WARMING = "warming"  #: it answers, and real warm-up requests are running
    READY = "ready"
    DRAINING = "draining"  #: finishes its requests, gets no new ones
    SICK = "sick"  #: had work and made no progress, or its process died; being restarted
    STOPPED = "stopped"


class Replica(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One engine that serves one model."""

    id: str
    model: str
    #: Engine kind: llamacpp, upstream, ...
    kind: str
    #: Its API dialect: llamacpp, vllm, openai or oxlo.
    dialect: str
    #: Base URL whose paths are `/v1/...`: `http://127.0.0.1:40123` (no trailing slash, no `/v1`).
    address: str
    #: The model's name at the engine.
    engine_model: str
    slots: int
    #: Context length of one slot, tokens.
    context_length: int
    state: ReplicaState
    #: Why it is in this state, for operators.
    reason: str = ""
    #: Increases with each start of the replica's process.
    generation: int = 1
    #: Process id on this machine; 0: no process of ours runs.
    pid: int = 0
    #: Capacity of its prompt cache in tokens; 0: unknown.
    cache_tokens: int = 0
    #: Build of the engine's program; "": the engine reports it.
    build: str = ""
    #: Above 0: it gets requests only while no healthy replica with a lower number has a free slot.
    overflow: int = 0
    #: Bearer token that the engine requires.
    api_key: str = ""
    #: When the state was entered, unix seconds.
    since: float = 0.0
    #: First warm-up request and median of the rest, milliseconds.
    first_ms: float | None = None
    warm_ms: float | None = None


class ReplicaList(msgspec.Struct, frozen=True):
    """The contents of the replicas file."""

    written: float
    replicas: tuple[Replica, ...]
    #: Minimum number of ready engines, by model.
    minimum: dict[str, int] = {}


def write(path: Path, replicas: ReplicaList) -> None:
    """Replace the file atomically; only its owner can read it, because it has the engines' keys."""
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    draft.touch(mode=0o600)
    draft.write_bytes(msgspec.json.encode(replicas))
    draft.replace(path)


def read(path: Path) -> ReplicaList:
    """Read the list; it is empty if there is no file."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=ReplicaList)
    except FileNotFoundError:
        return ReplicaList(0.0, ())
