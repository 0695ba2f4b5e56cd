"""What an engine of this kind is told: everything that is decided before it starts."""

import msgspec


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """One engine."""

    #: The files of a CTranslate2 model by name: `model.bin`, `config.json`, `tokenizer.json`, ...
    files: dict[str, str]
    device: str = "cpu"
    #: Numbers that are computed with, as CTranslate2 names them: int8, float16, ...
    compute_type: str = "int8"
    #: Recordings that are heard at once, and threads of a CPU for each.
    slots: int = 2
    threads: int = 1
    #: Candidates that are kept while the text is searched for.
    beam_size: int = 5
    #: Whether what is no speech is left out where a call does not say.
    vad: bool = False
    #: What it may take when it has nothing to do, in MB; 0: whatever it takes.
    memory_mb: int = 0
    api_key: str = ""
    port: int = 0
