"""How an engine of the kind `diffusers` is started."""

import secrets
from collections.abc import Sequence
from pathlib import Path

import msgspec

from oxlo.catalogue import Model, Variant
from oxlo.catalogue.parameters import parameters
from oxlo.engines.base import CannotLaunch, Launch
from oxlo.engines.diffusion.config import Config, Offload, Precision, Sampler
from oxlo.engines.launching import arguments, child, require
from oxlo.fleet.sizing import Machine
from oxlo.settings import Settings
from oxlo.wire.sizes import sizes

#: Calls that an engine is sent beyond those it draws: while one's images are being encoded and
#: sent, the next is drawn.
_AHEAD = 1
_INDEX = "model_index.json"


class Args(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a model file may say under `args`."""

    dtype: Precision = ""
    scheduler: Sampler = ""
    offload: Offload = "none"
    #: Calls drawn at once. One keeps a GPU busy; a CPU with many cores may do more.
    slots: int = 1
    #: Of a CPU, for each call that is drawn; 0: sized to the machine.
    threads: int = 0
    #: How many engines of this model run.
    replicas: int = 1


class Diffusers:
    """Any pipeline of the diffusers library that makes images from words."""

    name = "diffusers"

    def launch(
        self,
        model: Model,
        variant: Variant,
        settings: Settings,
        weights: Sequence[Path],
        machine: Machine,
    ) -> Launch:
        """A child process with its own port and its own key."""
        require(("torch", "diffusers", "transformers"), "torch and diffusers are", "images")
        args = arguments(variant, Args)
        _check(args)
        known = parameters(model)
        config = Config(
            folder=str(_folder(model, weights)),
            sizes=sizes(model),
            steps=int(known["num_inference_steps"].default or 1),
            guidance=float(known["guidance_scale"].default or 1.0),
            pipelines=args.slots,
            slots=args.slots + _AHEAD,
            threads=args.threads or max(1, machine.cores // args.slots),
            dtype=args.dtype,
            scheduler=args.scheduler,
            offload=args.offload,
            api_key=secrets.token_urlsafe(24),
        )
        return child(model, self.name, "oxlo.engines.diffusion.child", config)

    def explain(self, log: Sequence[str]) -> str:
        """The exception that ended it."""
        return next((line for line in reversed(log) if "Error: " in line), "")


def _check(args: Args) -> None:
    if args.offload == "none":
        return
    if args.slots > 1:
        raise CannotLaunch("an engine that offloads draws one call at a time: slots = 1")
    require(("accelerate",), "accelerate, which offload needs, is", "images")


def _folder(model: Model, weights: Sequence[Path]) -> Path:
    """Where the pipeline is, by its index."""
    for path in weights:
        if path.name == _INDEX:
            return path.parent
        if (path / _INDEX).is_file():
            return path
    raise CannotLaunch(f"the weights of {model.id} are no pipeline: they lack {_INDEX}")
