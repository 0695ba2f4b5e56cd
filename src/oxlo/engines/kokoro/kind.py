"""How an engine of the kind `kokoro` is started."""

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from oxlo import catalogue
from oxlo.catalogue import Model, Variant
from oxlo.catalogue.parameters import parameters
from oxlo.engines.base import CannotLaunch, Launch
from oxlo.engines.kokoro.config import Config, Voice
from oxlo.engines.launching import arguments, child, require
from oxlo.fleet.sizing import Machine
from oxlo.settings import Settings

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

    def launch(
        self,
        model: Model,
        variant: Variant,
        settings: Settings,
        weights: Sequence[Path],
        machine: Machine,
    ) -> Launch:
        """A child process with its own port and its own key."""
        require(("kokoro_onnx", "av"), "kokoro-onnx is", "kokoro")
        args = arguments(variant, Args)
        paths = [p for given in weights for p in (given.rglob("*") if given.is_dir() else (given,))]
        config = Config(
            model=_graph(model, paths),
            voices=_voices(model, paths),
            device="cuda" if variant.cards else "cpu",
            slots=args.slots,
            threads=args.threads or machine.cores,
            memory_mb=args.memory_mb or 3 * (variant.memory_mb or 0),
            api_key=secrets.token_urlsafe(24),
        )
        return child(model, self.name, "oxlo.engines.kokoro.child", config)

    def explain(self, log: Sequence[str]) -> str:
        """The last line of a trace is the cause."""
        return next((line for line in reversed(log) if line.strip()), "")


def _graph(model: Model, paths: Sequence[Path]) -> str:
    found = [path for path in paths if path.suffix == ".onnx"]
    if len(found) != 1:
        raise CannotLaunch(f"{model.id} needs one weights file *.onnx, and has {len(found)}")
    return str(found[0])


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
