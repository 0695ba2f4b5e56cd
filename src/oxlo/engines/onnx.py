"""The kind `onnx`: models on onnxruntime, one child process each."""

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from oxlo.catalogue import Model, Variant
from oxlo.engines import launching
from oxlo.engines.base import CannotLaunch, Launch
from oxlo.engines.embedding.config import Config, Pooling
from oxlo.fleet.sizing import Machine
from oxlo.settings import Settings

#: Calls at once: those that wait share runs, and are a thread each.
_SLOTS = 32


class EmbeddingArgs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the model file of an embedding model may say under `args`."""

    pooling: Pooling = "mean"
    normalize: bool = True
    #: 0: the cores, shared by the engines of the machine.
    threads: int = 0
    slots: int = _SLOTS
    #: See `embedding/config.py`; 0: what fits the device.
    batch_tokens: int = 0
    run_tokens: int = 0
    #: How many engines of this model run.
    replicas: int = 1


class _Costs(msgspec.Struct, frozen=True):
    batch_tokens: int
    run_tokens: int


#: On a CPU, more than 256 tokens at once are no faster; a GPU waits for its launches.
_COSTS = {"cpu": _Costs(256, 20), "cuda": _Costs(16384, 2048)}


class Onnx:
    """Embedding models, and whatever else onnxruntime runs."""

    name = "onnx"

    def launch(
        self,
        model: Model,
        variant: Variant,
        settings: Settings,
        weights: Sequence[Path],
        machine: Machine,
    ) -> Launch:
        """A child process with its own port and its own key."""
        if "embeddings" not in model.abilities:
            raise CannotLaunch(f"onnx runs embedding models, and {model.id} is none")
        return _embeddings(model, variant, weights, machine)

    def explain(self, log: Sequence[str]) -> str:
        """The last line of a trace is the cause."""
        return next((line for line in reversed(log) if line.strip()), "")


def _embeddings(
    model: Model, variant: Variant, weights: Sequence[Path], machine: Machine
) -> Launch:
    launching.require(("onnxruntime", "tokenizers"), "onnxruntime and tokenizers are", "embeddings")
    args = launching.arguments(variant, EmbeddingArgs)
    device = _device(variant)
    costs = _COSTS[device]
    config = Config(
        model=_file(model, weights, ".onnx"),
        tokenizer=_file(model, weights, "tokenizer.json"),
        token_ids=_file(model, weights, ".tiktoken", needed=False),
        name=model.id,
        context=model.context_length,
        pooling=args.pooling,
        normalize=args.normalize,
        device=device,
        threads=args.threads or machine.cores,
        slots=args.slots,
        batch_tokens=args.batch_tokens or costs.batch_tokens,
        run_tokens=args.run_tokens or costs.run_tokens,
        api_key=secrets.token_urlsafe(24),
    )
    return launching.child(model, "onnx", "oxlo.engines.embedding.child", config)


def _device(variant: Variant) -> Literal["cpu", "cuda"]:
    return "cuda" if variant.cards else "cpu"


def _file(model: Model, weights: Sequence[Path], ending: str, *, needed: bool = True) -> str:
    """The weights file whose name ends so. Raises CannotLaunch."""
    found = [path for path in weights if path.name.endswith(ending)]
    if len(found) > 1 or (needed and not found):
        raise CannotLaunch(f"{model.id} needs one weights file *{ending}, and has {len(found)}")
    return str(found[0]) if found else ""
