"""The engine kind `diffusers`."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from oxlo.catalogue import Model
from oxlo.catalogue.parameters import parameters
from oxlo.engines import launching
from oxlo.engines.base import CannotLaunch, EngineSpec, Launch
from oxlo.engines.diffusion.config import Config, Offload, Precision, Sampler
from oxlo.wire.sizes import parse, sizes

#: Slots beyond those that draw: the next request starts while the last one's images are encoded
#: and sent.
_AHEAD = 1
_INDEX = "model_index.json"


class Args(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a model file may set under `args`."""

    dtype: Precision = ""
    scheduler: Sampler = ""
    offload: Offload = "none"
    #: The only size that the network draws, as `64x64`: other sizes are that drawing, scaled.
    drawn: str = ""
    #: Requests drawn concurrently. One keeps a GPU busy; a CPU with many cores may take more.
    slots: int = 1
    #: CPU threads for each running request; 0: sized to the machine.
    threads: int = 0
    #: Engines of this model.
    replicas: int = 1


#: The libraries' import-time warnings mean nothing to an operator who waits for a start.
_QUIET = {"TRANSFORMERS_VERBOSITY": "error", "DIFFUSERS_VERBOSITY": "error"}


class Diffusers:
    """Any text-to-image pipeline of the diffusers library."""

    name = "diffusers"

    def launch(self, spec: EngineSpec) -> Launch:
        """A child process with its own port and API key."""
        launching.require(
            ("torch", "diffusers", "transformers"), "torch and diffusers are", "images"
        )
        args = launching.arguments(spec.variant, Args)
        _check(args)
        known = parameters(spec.model)
        config = Config(
            folder=str(_folder(spec.model, spec.weights)),
            sizes=sizes(spec.model),
            drawn=parse(args.drawn) if args.drawn else None,
            steps=int(known["num_inference_steps"].default or 1),
            most_steps=int(known["num_inference_steps"].max or 500),
            guidance=float(known["guidance_scale"].default or 1.0),
            pipelines=args.slots,
            slots=args.slots + _AHEAD,
            threads=args.threads or max(1, spec.machine.cores // args.slots),
            dtype=args.dtype,
            scheduler=args.scheduler,
            offload=args.offload,
            api_key=launching.new_key(),
        )
        return launching.child(
            spec.model, self.name, "oxlo.engines.diffusion.child", config, environment=_QUIET
        )

    def explain(self, log: Sequence[str]) -> str:
        """The exception that ended it."""
        return launching.last_error(log)


def _check(args: Args) -> None:
    if args.offload == "none":
        return
    if args.slots > 1:
        raise CannotLaunch("an engine with offload runs one request at a time: set slots = 1")
    launching.require(("accelerate",), "accelerate, which offload needs, is", "images")


def _folder(model: Model, weights: Sequence[Path]) -> Path:
    """The folder that holds the pipeline's index."""
    for path in weights:
        if path.name == _INDEX:
            return path.parent
        if (path / _INDEX).is_file():
            return path
    raise CannotLaunch(f"the weights of {model.id} are not a diffusers pipeline: no {_INDEX}")
