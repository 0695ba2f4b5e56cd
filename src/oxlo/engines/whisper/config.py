"""The configuration of a Whisper engine, complete before its process starts."""

import msgspec


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """One engine."""

    #: Paths of a CTranslate2 model's files by name: `model.bin`, `config.json`, ...
    files: dict[str, str]
    device: str = "cpu"
    #: CTranslate2's compute type: int8, float16, ...
    compute_type: str = "int8"
    #: Concurrent transcriptions, and CPU threads for each.
    slots: int = 2
    threads: int = 1
    beam_size: int = 5
    #: Whether to skip silence (voice activity detection) by default.
    vad: bool = False
    #: Memory limit while idle, in MB; above it the engine is restarted. 0: no limit.
    memory_mb: int = 0
    api_key: str = ""
    port: int = 0
