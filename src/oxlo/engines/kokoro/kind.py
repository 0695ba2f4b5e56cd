"""How an engine of the kind `kokoro` is started."""

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

#: A long text must not hold up a short one.
_SLOTS = 2


class Args(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a model file may say under `args`."""

    slots: Annotated[int, Meta(ge=1)] = _SLOTS
    #: Of a CPU, for all slots; 0: sized to the machine.
    threads: int = 0
    #: What it may take when it has nothing to do: over that it is started anew. 0: three times
    #: what the variant says that it takes.
    memory_mb: Annotated[int, Meta(ge=0)] = 0
    #: How many engines of this model run.
    replicas: int = 1


class Kokoro:
    """Kokoro models in ONNX."""

    name = "kokoro"

    def launch(self, spec: EngineSpec) -> Launch:
        """A child process with its own port and its own key."""
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
        """The last line of a trace is the cause."""
        return launching.last_line(log)


def _voices(model: Model, paths: Sequence[Path]) -> tuple[Voice, ...]:
    """Every voice, in a file of its own or in the one that holds all; the default comes first."""
    files = {path.stem: path for path in paths if path.suffix == ".bin"}
    together = next(iter(files.values())) if len(files) == 1 else None
    voices = [
        _voice(voice, index, files.get(voice.id), together)
        for index, voice in enumerate(model.voices)
        if together or voice.id in files
    ]
    if not voices:
        raise CannotLaunch(f"{model.id} has no files of voices *.bin, or names no voices")
    default = parameters(model)["voice"].default
    return tuple(sorted(voices, key=lambda voice: voice.id != default))


def _voice(voice: catalogue.Voice, index: int, own: Path | None, together: Path | None) -> Voice:
    language = voice.language.lower()
    if own is not None:
        return Voice(id=voice.id, language=language, path=str(own))
    return Voice(id=voice.id, language=language, path=str(together), index=index)
