"""What an engine of this kind is told: everything that is decided before it starts."""

from typing import Literal

import msgspec


class Voice(msgspec.Struct, frozen=True, kw_only=True):
    """Where one voice is, and which language it speaks, as espeak names it."""

    id: str
    language: str
    path: str
    #: Which of the voices in the file.
    index: int = 0


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """One engine."""

    model: str
    #: The first speaks where a call names none.
    voices: tuple[Voice, ...]
    device: Literal["cpu", "cuda"] = "cpu"
    #: Texts that are spoken at once, and threads of a CPU for all of them.
    slots: int = 2
    threads: int = 1
    #: What it may take when it has nothing to do, in MB; 0: whatever it takes.
    memory_mb: int = 0
    api_key: str = ""
    port: int = 0
