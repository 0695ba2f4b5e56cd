"""Embeddings requests, answered by the real small model."""

import base64
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
from starlette.routing import Route

from oxlo import catalogue
from oxlo.engines.affinity import available_cpus, shares
from oxlo.engines.base import EngineSpec
from oxlo.engines.embedding import child
from oxlo.engines.embedding.config import Config
from oxlo.engines.onnx import Onnx
from oxlo.errors import ApiError, BadRequest, ContextLengthExceeded
from oxlo.hardware.sizing import Machine
from oxlo.serving.process import CannotLoad
from oxlo.serving.work import Job, Workers
from oxlo.settings import Settings

pytestmark = pytest.mark.engine

TEXTS = ["The cat sits outside.", "A man is playing guitar.", "A cat is sitting outdoors."]
Ask = Callable[..., dict[str, Any]]


def config(files: list[Path], **fields: object) -> Config:
    model = catalogue.load().resolve("minilm-l6")
    launch = Onnx().launch(
        EngineSpec(model, model.variants[0], Settings(), files, Machine(1, 4000))
    )
    return msgspec.structs.replace(msgspec.json.decode(launch.config, type=Config), **fields)


def asking(made: Config) -> Ask:
    workers = Workers(1)
    embedding = child.embedding(made, workers)

    def ask(given: object, **fields: object) -> dict[str, Any]:
        body = msgspec.json.encode({"model": "m", "input": given} | fields)
        told: dict[str, Any] = msgspec.json.decode(embedding.answer(Job(workers), body))
        return told

    return ask


@pytest.fixture(scope="module")
def ask(minilm: list[Path]) -> Ask:
    return asking(config(minilm))


def vectors(told: dict[str, Any]) -> npt.NDArray[np.float64]:
    return np.array([item["embedding"] for item in told["data"]])


def test_paraphrases_are_close(ask: Ask) -> None:
    """Similar meanings have similar vectors, and all vectors have unit length."""
    told = vectors(ask(TEXTS))
    assert told.shape == (3, 384)
    assert np.allclose(np.linalg.norm(told, axis=1), 1, atol=1e-6)
    close = told @ told.T
    assert close[0, 2] > 0.9
    assert max(close[0, 1], close[1, 2]) < 0.2


def test_a_batch_equals_its_single_texts(ask: Ask) -> None:
    """Order is kept at any lengths, and other texts do not change a vector."""
    texts = ["word " * count for count in (60, 1, 200, 3, 30, 2)] + TEXTS
    together = vectors(ask(texts))
    alone = np.concatenate([vectors(ask(text)) for text in texts])
    assert np.all((together * alone).sum(1) > 0.999)


def test_base64_is_the_same_numbers(ask: Ask) -> None:
    """Little-endian 32-bit floats, as the SDKs ask for them."""
    told = ask(TEXTS, encoding_format="base64")
    raw = [np.frombuffer(base64.b64decode(d["embedding"]), "<f4") for d in told["data"]]
    assert np.allclose(raw, vectors(ask(TEXTS)), atol=1e-8)


def test_token_ids_are_texts(ask: Ask) -> None:
    """cl100k ids, as LangChain sends them; a list of numbers is one text."""
    text = vectors(ask("Hello world"))
    assert np.array_equal(vectors(ask([9906, 1917])), text)
    assert np.array_equal(vectors(ask([[9906, 1917], [9906]]))[:1], text)


def test_usage_counts_the_models_tokens(ask: Ask) -> None:
    """Including the two special tokens of each text."""
    assert ask(["Hello world", "Hi"])["usage"] == {"prompt_tokens": 7, "total_tokens": 7}


def test_indices_and_names(ask: Ask) -> None:
    """The response has OpenAI's shape."""
    told = ask(["a", "b"])
    assert (told["object"], told["model"]) == ("list", "minilm-l6")
    assert [(item["object"], item["index"]) for item in told["data"]] == [
        ("embedding", 0),
        ("embedding", 1),
    ]


def test_the_largest_batch(ask: Ask) -> None:
    """OpenAI's 2,048 texts are one request."""
    told = ask([f"{number}" for number in range(2048)], encoding_format="base64")
    assert [item["index"] for item in told["data"]] == list(range(2048))


@pytest.mark.parametrize(
    ("fields", "counted", "allowed"),
    [({}, 302, 256), ({"max_input_tokens": 100}, 302, 100), ({"max_input_tokens": 900}, 302, 256)],
)
def test_long_texts_are_refused(
    ask: Ask, fields: dict[str, object], counted: int, allowed: int
) -> None:
    """By the lower of the model's and the plan's limits, with both numbers."""
    with pytest.raises(ContextLengthExceeded, match=f"Item 1.* {counted} .* {allowed} ") as refused:
        ask(["short", "word " * 300], **fields)
    assert refused.value.extra == {"counted_tokens": counted, "allowed_tokens": allowed}


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        ([], {}),
        ("", {}),
        (["a", 1], {}),
        ([10**9], {}),
        ("a", {"dimensions": 385}),
        ("a", {"dimensions": 0}),
        ("a", {"encoding_format": "hex"}),
    ],
)
def test_nonsense_is_refused(ask: Ask, given: object, fields: dict[str, object]) -> None:
    """The engine validates requests even without a gateway."""
    with pytest.raises(BadRequest):
        ask(given, **fields)


def test_fewer_dimensions(ask: Ask) -> None:
    """The first dimensions, normalized again."""
    whole, cut = vectors(ask("Hello"))[0], vectors(ask("Hello", dimensions=64))[0]
    assert np.allclose(cut, whole[:64] / np.linalg.norm(whole[:64]), atol=1e-7)


def test_without_a_vocabulary(minilm: list[Path]) -> None:
    """Token ids are refused with an explanation."""
    ask = asking(config(minilm[:2]))
    with pytest.raises(BadRequest, match="not token ids"):
        ask([9906, 1917])


def test_pooling_and_length_are_the_models(minilm: list[Path]) -> None:
    """Pooling and normalization follow the configuration."""
    first = vectors(asking(config(minilm, pooling="cls"))("Hello world"))[0]
    long = vectors(asking(config(minilm, normalize=False))("Hello world"))[0]
    mean = vectors(asking(config(minilm))("Hello world"))[0]
    assert first @ mean < 0.99
    assert abs(np.linalg.norm(long) - 1) > 0.01
    assert np.allclose(long / np.linalg.norm(long), mean, atol=1e-6)


def test_a_broken_model_says_so(minilm: list[Path], tmp_path: Path) -> None:
    """The reason names the file."""
    broken = tmp_path / "model.onnx"
    broken.write_bytes(minilm[0].read_bytes()[:1000])
    with pytest.raises(CannotLoad, match=r"model\.onnx"):
        asking(config(minilm, model=str(broken)))


def test_the_engine_has_one_route(minilm: list[Path]) -> None:
    """The one that the gateway calls."""
    engine = child.load(msgspec.json.encode(config(minilm)))
    assert [route.path for route in engine.routes if isinstance(route, Route)] == ["/v1/embeddings"]
    assert issubclass(ContextLengthExceeded, ApiError)


@pytest.mark.skipif(len(available_cpus()) < 2, reason="needs two CPUs, and Linux")
def test_the_loading_thread_gets_its_share_of_the_cpus(minilm: list[Path]) -> None:
    """It becomes that of the event loop; the others of the process keep theirs."""
    everywhere, line = available_cpus(), msgspec.json.encode(config(minilm, threads=2))
    with ThreadPoolExecutor(1) as thread:
        thread.submit(child.load, line).result()
        assert thread.submit(available_cpus).result() == set(shares(everywhere, 2)[0])
    assert available_cpus() == everywhere
