"""The kind `onnx`: models on onnxruntime, one child process each."""

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from oxlo.catalogue import Model, Variant
from oxlo.engines import launching
from oxlo.engines.base import CannotLaunch, Launch
from oxlo.engines.detection.config import Config as DetectionConfig
from oxlo.engines.detection.config import Family
from oxlo.engines.embedding.config import Config as EmbeddingConfig
from oxlo.engines.embedding.config import Pooling
from oxlo.fleet.sizing import Machine
from oxlo.settings import Settings

#: Calls at once. Embeddings share runs; a picture is read while another is looked at.
_EMBEDDING_SLOTS, _DETECTION_SLOTS = 32, 2


class EmbeddingArgs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the model file of an embedding model may say under `args`."""

    pooling: Pooling = "mean"
    normalize: bool = True
    #: 0: the cores, shared by the engines of the machine.
    threads: int = 0
    slots: Annotated[int, Meta(ge=1)] = _EMBEDDING_SLOTS
    #: See `embedding/config.py`; 0: what fits the device.
    batch_tokens: int = 0
    run_tokens: int = 0
    #: How many engines of this model run.
    replicas: int = 1


class DetectionArgs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the model file of a detection model may say under `args`."""

    #: None: `centernet` for a graph of TensorFlow.js, `yolo` for ONNX.
    family: Family | None = None
    #: Names of the classes; empty: those in the ONNX file, else COCO's.
    classes: tuple[str, ...] = ()
    threads: int = 0
    slots: Annotated[int, Meta(ge=1)] = _DETECTION_SLOTS
    replicas: int = 1


class _Costs(msgspec.Struct, frozen=True):
    batch_tokens: int
    run_tokens: int


#: On a CPU, more than 256 tokens at once are no faster; a GPU waits for its launches.
_COSTS = {"cpu": _Costs(256, 20), "cuda": _Costs(16384, 2048)}


class Onnx:
    """Embedding and detection models on onnxruntime."""

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
        if "embeddings" in model.abilities:
            return _embeddings(model, variant, weights, machine)
        if "detection" in model.abilities:
            return _detection(model, variant, weights, machine)
        raise CannotLaunch(f"onnx runs models for embeddings and detection; {model.id} is neither")

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
    config = EmbeddingConfig(
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


def _detection(model: Model, variant: Variant, weights: Sequence[Path], machine: Machine) -> Launch:
    needed = ("onnxruntime", "onnx", "PIL")
    launching.require(needed, "onnxruntime, onnx and Pillow are", "detection")
    args = launching.arguments(variant, DetectionArgs)
    graph = _file(model, weights, ".json", needed=False)
    config = DetectionConfig(
        model=graph or _file(model, weights, ".onnx"),
        weights=_file(model, weights, ".bin") if graph else "",
        family=args.family or ("centernet" if graph else "yolo"),
        name=model.id,
        classes=args.classes,
        device=_device(variant),
        threads=args.threads or machine.cores,
        slots=args.slots,
        api_key=secrets.token_urlsafe(24),
    )
    return launching.child(model, "onnx", "oxlo.engines.detection.child", config)


def _device(variant: Variant) -> Literal["cpu", "cuda"]:
    return "cuda" if variant.cards else "cpu"


def _file(model: Model, weights: Sequence[Path], ending: str, *, needed: bool = True) -> str:
    """The weights file whose name ends so. Raises CannotLaunch."""
    found = [path for path in weights if path.name.endswith(ending)]
    if len(found) > 1 or (needed and not found):
        raise CannotLaunch(f"{model.id} needs one weights file *{ending}, and has {len(found)}")
    return str(found[0]) if found else ""
