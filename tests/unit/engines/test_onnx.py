"""How engines on onnxruntime are decided, before any process starts."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from oxlo import catalogue
from oxlo.catalogue import Variant
from oxlo.engines.base import CannotLaunch, EngineSpec, Launch
from oxlo.engines.detection.config import Config as DetectionConfig
from oxlo.engines.embedding.config import Config as EmbeddingConfig
from oxlo.engines.onnx import Onnx
from oxlo.hardware.sizing import Machine
from oxlo.settings import Settings

EMBEDDING = ("model.onnx", "tokenizer.json", "cl100k_base.tiktoken")
GRAPH = ("centernet.json", "centernet.bin")


def launch(model: str, files: tuple[str, ...], hardware: Any = "cpu", **args: Any) -> Launch:
    found = catalogue.load().resolve(model)
    variant = Variant(hardware=hardware, engine="onnx", args=args)
    return Onnx().launch(
        EngineSpec(found, variant, Settings(), list(map(Path, files)), Machine(3, 4000))
    )


def embedding(files: tuple[str, ...] = EMBEDDING, hardware: Any = "cpu", **args: Any) -> Any:
    found = launch("minilm-l6", files, hardware, **args)
    return msgspec.json.decode(found.config, type=EmbeddingConfig)


def detection(model: str, files: tuple[str, ...], **args: Any) -> DetectionConfig:
    return msgspec.json.decode(launch(model, files, **args).config, type=DetectionConfig)


def test_everything_decided_is_told() -> None:
    """The arguments that are logged, the key aside; the plan's caps travel to it."""
    found = launch("minilm-l6", EMBEDDING, pooling="cls")
    assert found.arguments["pooling"] == "cls"
    assert found.arguments["threads"] == 3
    assert found.api_key not in str(found.arguments) + str(found.argv)
    assert (found.dialect, found.slots, found.context_length) == ("oxlo", 32, 256)


def test_files_have_their_parts() -> None:
    """By their names, in any order; the vocabulary of token ids may be missing."""
    config = embedding(EMBEDDING[::-1])
    assert (config.model, config.tokenizer, config.token_ids) == EMBEDDING
    assert embedding(EMBEDDING[:2]).token_ids == ""


@pytest.mark.parametrize("files", [(), EMBEDDING[1:], EMBEDDING[:1], (*EMBEDDING, "other.onnx")])
def test_files_that_do_not_fit(files: tuple[str, ...]) -> None:
    """What is missing, or there twice, is named."""
    with pytest.raises(CannotLaunch, match=r"minilm-l6 needs one weights file"):
        embedding(files)


def test_a_gpu_takes_longer_runs() -> None:
    """A run's own cost is much there, its tokens' little."""
    cpu, gpu = embedding(), embedding(hardware="t4")
    assert (cpu.device, gpu.device) == ("cpu", "cuda")
    assert gpu.batch_tokens > cpu.batch_tokens
    assert gpu.run_tokens > cpu.run_tokens
    assert embedding(hardware="t4", batch_tokens=64).batch_tokens == 64


def test_detectors_by_their_files() -> None:
    """ONNX is read as YOLO's, a graph of TensorFlow.js as CenterNet's."""
    graph = detection("centernet", GRAPH)
    assert (graph.model, graph.weights, graph.family) == (*GRAPH, "centernet")
    yolo = detection("yolov11", ("yolov11.onnx",), classes=["a", "b"])
    assert (yolo.model, yolo.weights, yolo.family) == ("yolov11.onnx", "", "yolo")
    assert yolo.classes == ("a", "b")


@pytest.mark.parametrize(
    ("args", "words"),
    [({"pooling": "max"}, "pooling"), ({"poolin": "cls"}, "poolin"), ({"slots": 0}, "slots")],
)
def test_wrong_arguments(args: dict[str, object], words: str) -> None:
    """A misspelt argument is an error, not a silent default."""
    with pytest.raises(CannotLaunch, match=words):
        embedding(**args)


def test_other_models() -> None:
    """onnxruntime alone does not make a chat model."""
    with pytest.raises(CannotLaunch, match="smollm2-135m is neither"):
        launch("smollm2-135m", EMBEDDING)


def test_a_trace_is_explained_by_its_end() -> None:
    """The last line says what went wrong."""
    log = ("Traceback (most recent call last):", "  File ...", "MemoryError: 4 GB", "")
    assert Onnx().explain(log) == "MemoryError: 4 GB"
    assert Onnx().explain(()) == ""


@pytest.mark.parametrize(
    ("model", "files"), [("minilm-l6", EMBEDDING), ("centernet-mobilenetv3", GRAPH)]
)
def test_memory_lies_in_huge_pages(model: str, files: tuple[str, ...]) -> None:
    """An embedding reads all weights in a few milliseconds."""
    assert launch(model, files).environment == {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
