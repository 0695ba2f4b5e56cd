"""The engine kind `whisper`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from oxlo.catalogue import Model
from oxlo.engines import launching
from oxlo.engines.base import CannotLaunch, EngineSpec, Launch
from oxlo.engines.whisper.config import Config

_MODEL = "model.bin"
#: Two, so that a long recording does not hold up a short one.
_SLOTS = 2
_COMPUTE = {"cpu": "int8", "cuda": "float16"}


class Args(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a model file may set under `args`."""

    #: "": the variant's own.
    device: Literal["", "cpu", "cuda"] = ""
    #: "": int8 on a CPU, float16 on a GPU.
    compute_type: str = ""
    slots: Annotated[int, Meta(ge=1)] = _SLOTS
    #: CPU threads for each slot; 0: sized to the machine.
    threads: int = 0
    beam_size: Annotated[int, Meta(ge=1, le=10)] = 5
    vad: bool = False
    #: Memory limit while idle; above it the engine is restarted. 0: three times the variant's
    #: `memory_mb`.
    memory_mb: Annotated[int, Meta(ge=0)] = 0
    #: Engines of this model.
    replicas: int = 1


class Whisper:
    """Whisper models in CTranslate2's format."""

    name = "whisper"

    def launch(self, spec: EngineSpec) -> Launch:
        """A child process with its own port and API key."""
        launching.require(("faster_whisper", "av"), "faster-whisper is", "whisper")
        args = launching.arguments(spec.variant, Args)
        device = args.device or spec.device
        config = Config(
            files=_files(spec.model, spec.weights),
            device=device,
            compute_type=args.compute_type or _COMPUTE[device],
            slots=args.slots,
            threads=args.threads or max(1, spec.machine.cores // args.slots),
            beam_size=args.beam_size,
            vad=args.vad,
            memory_mb=launching.idle_memory_mb(args.memory_mb, spec.variant),
            api_key=launching.new_key(),
        )
        module = "oxlo.engines.whisper.child"
        return launching.child(spec.model, self.name, module, config, launching.ONE_HEAP)

    def explain(self, log: Sequence[str]) -> str:
        """The exception that ended it."""
        return launching.last_error(log)


def _files(model: Model, weights: Sequence[Path]) -> dict[str, str]:
    """The model's files by name; the weights are files or one folder."""
    paths = [p for given in weights for p in (given.iterdir() if given.is_dir() else (given,))]
    files = {path.name: str(path) for path in paths}
    if _MODEL not in files:
        raise CannotLaunch(
            f"the weights of {model.id} are not in CTranslate2's format: no {_MODEL}"
        )
    return files
