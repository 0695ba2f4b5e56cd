"""The configuration of a Kokoro engine, complete before its process starts."""

from typing import Literal

import msgspec


class Voice(msgspec.Struct, frozen=True, kw_only=True):
    """A voice: its file, and its language by espeak's name."""

    id: str
    language: str
    path: str
    #: Its position in a file with several voices.
    index: int = 0


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """One engine."""

    model: str
    #: The first is the default.
    voices: tuple[Voice, ...]
    device: Literal["cpu", "cuda"] = "cpu"
    #: Concurrent requests, and CPU threads for all of them.
    slots: int = 2
    threads: int = 1
    #: Memory limit while idle, in MB; above it the engine is restarted. 0: no limit.
    memory_mb: int = 0
    api_key: str = ""
    port: int = 0
