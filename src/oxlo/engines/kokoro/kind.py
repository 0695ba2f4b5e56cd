"""The engine kind `kokoro`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from oxlo import catalogue
from oxlo.catalogue import Model
from oxlo.catalogue.parameters import parameters
from oxlo.engines import launching
from oxlo.engines.base import CannotLaunch, EngineSpec, Launch
from oxlo.engines.kokoro.config import Config, Voice

#: Two, so that a long text does not hold up a short one.
_SLOTS = 2


class Args(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a model file may set under `args`."""

    slots: Annotated[int, Meta(ge=1)] = _SLOTS
    #: CPU threads for all slots; 0: sized to the machine.
    threads: int = 0
    #: Memory limit while idle; above it the engine is restarted. 0: three times the variant's
    #: `memory_mb`.
    memory_mb: Annotated[int, Meta(ge=0)] = 0
    #: Engines of this model.
    replicas: int = 1


class Kokoro:
    """Kokoro models in ONNX."""

    name = "kokoro"

    def launch(self, spec: EngineSpec) -> Launch:
        """A child process with its own port and API key."""
        launching.require(("kokoro_onnx", "av"), "kokoro-onnx is", "kokoro")
        args = launching.arguments(spec.variant, Args)
        paths = [
            p for path in spec.weights for p in (path.rglob("*") if path.is_dir() else (path,))
        ]
        config = Config(
            model=launching.only_file(spec.model, paths, ".onnx"),
            voices=_voices(spec.model, paths),
            device=spec.device,
            slots=args.slots,
            threads=args.threads or spec.machine.cores,
            memory_mb=launching.idle_memory_mb(args.memory_mb, spec.variant),
            api_key=launching.new_key(),
        )
        return launching.child(spec.model, self.name, "oxlo.engines.kokoro.child", config)

    def explain(self, log: Sequence[str]) -> str:
        """The last line of the traceback, which is the exception."""
        return launching.last_line(log)


def _voices(model: Model, paths: Sequence[Path]) -> tuple[Voice, ...]:
    """All voices, from one file each or one for all; the default voice comes first."""
    files = {path.stem: path for path in paths if path.suffix == ".bin"}
    shared = next(iter(files.values())) if len(files) == 1 else None
    voices = [
        _voice(voice, index, files.get(voice.id), shared)
        for index, voice in enumerate(model.voices)
        if shared or voice.id in files
    ]
    if not voices:
        raise CannotLaunch(f"{model.id} has no files of voices *.bin, or names no voices")
    default = parameters(model)["voice"].default
    return tuple(sorted(voices, key=lambda voice: voice.id != default))


def _voice(voice: catalogue.Voice, index: int, own: Path | None, shared: Path | None) -> Voice:
    language = voice.language.lower()
    if own is not None:
        return Voice(id=voice.id, language=language, path=str(own))
    return Voice(id=voice.id, language=language, path=str(shared), index=index)
