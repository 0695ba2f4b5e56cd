"""The engine kind `onnx`: models on onnxruntime, one child process each."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from oxlo.engines import launching
from oxlo.engines.base import CannotLaunch, EngineSpec, Launch
from oxlo.engines.detection.config import Config as DetectionConfig
from oxlo.engines.detection.config import Family
from oxlo.engines.embedding.config import Config as EmbeddingConfig
from oxlo.engines.embedding.config import Pooling
from oxlo.engines.launching import only_file

#: Concurrent requests. Embeddings are batched; one image is decoded while another is detected.
_EMBEDDING_SLOTS, _DETECTION_SLOTS = 32, 2


class EmbeddingArgs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the model file of an embedding model may set under `args`."""

    pooling: Pooling = "mean"
    normalize: bool = True
    #: For a BERT: its `num_attention_heads`. The graph is then rewritten in fused operators, which
    #: saves a fifth of the time. 0: the file runs unchanged.
    bert_heads: Annotated[int, Meta(ge=0)] = 0
    #: 0: sized to the machine.
    threads: int = 0
    slots: Annotated[int, Meta(ge=1)] = _EMBEDDING_SLOTS
    #: See `embedding/config.py`; 0: the default of the device.
    batch_tokens: int = 0
    run_tokens: int = 0
    #: Engines of this model.
    replicas: int = 1


class DetectionArgs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the model file of a detection model may set under `args`."""

    #: None: `centernet` for a graph of TensorFlow.js, `yolo` for ONNX.
    family: Family | None = None
    #: Class names; empty: those in the ONNX file, or else COCO's.
    classes: tuple[str, ...] = ()
    threads: int = 0
    slots: Annotated[int, Meta(ge=1)] = _DETECTION_SLOTS
    replicas: int = 1


class _Costs(msgspec.Struct, frozen=True):
    batch_tokens: int
    run_tokens: int


#: On a CPU, batches above 256 tokens are no faster; on a GPU, kernel launches dominate.
_COSTS = {"cpu": _Costs(256, 20), "cuda": _Costs(16384, 2048)}


class Onnx:
    """Embedding and detection models on onnxruntime."""

    name = "onnx"

    def launch(self, spec: EngineSpec) -> Launch:
        """A child process with its own port and API key."""
        if "embeddings" in spec.model.abilities:
            return _embeddings(spec)
        if "detection" in spec.model.abilities:
            return _detection(spec)
        raise CannotLaunch(
            f"onnx runs models for embeddings and detection; {spec.model.id} is neither"
        )

    def explain(self, log: Sequence[str]) -> str:
        """The last line of the traceback, which is the exception."""
        return launching.last_line(log)


def _embeddings(spec: EngineSpec) -> Launch:
    needed = ("onnxruntime", "onnx", "tokenizers")
    launching.require(needed, "onnxruntime, onnx and tokenizers are", "embeddings")
    args = launching.arguments(spec.variant, EmbeddingArgs)
    costs = _COSTS[spec.device]
    config = EmbeddingConfig(
        model=only_file(spec.model, spec.weights, ".onnx"),
        tokenizer=only_file(spec.model, spec.weights, "tokenizer.json"),
        token_ids=only_file(spec.model, spec.weights, ".tiktoken", needed=False),
        name=spec.model.id,
        context=spec.model.context_length,
        pooling=args.pooling,
        normalize=args.normalize,
        bert_heads=args.bert_heads,
        device=spec.device,
        threads=args.threads or spec.machine.cores,
        slots=args.slots,
        batch_tokens=args.batch_tokens or costs.batch_tokens,
        run_tokens=args.run_tokens or costs.run_tokens,
        api_key=launching.new_key(),
    )
    module = "oxlo.engines.embedding.child"
    return launching.child(spec.model, "onnx", module, config, launching.HUGE_PAGES)


def _detection(spec: EngineSpec) -> Launch:
    needed = ("onnxruntime", "onnx", "PIL")
    launching.require(needed, "onnxruntime, onnx and Pillow are", "detection")
    args = launching.arguments(spec.variant, DetectionArgs)
    graph = only_file(spec.model, spec.weights, ".json", needed=False)
    config = DetectionConfig(
        model=graph or only_file(spec.model, spec.weights, ".onnx"),
        weights=only_file(spec.model, spec.weights, ".bin") if graph else "",
        family=args.family or ("centernet" if graph else "yolo"),
        name=spec.model.id,
        classes=args.classes,
        device=spec.device,
        threads=args.threads or spec.machine.cores,
        slots=args.slots,
        api_key=launching.new_key(),
    )
    module = "oxlo.engines.detection.child"
    return launching.child(spec.model, "onnx", module, config, launching.HUGE_PAGES)
