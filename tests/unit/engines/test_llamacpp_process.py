"""How a llama.cpp engine is decided, before any process starts."""

import struct
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from tests import models, projector

from oxlo.catalogue import Model, Variant
from oxlo.engines import gguf
from oxlo.engines.base import CannotLaunch, EngineSpec, Launch
from oxlo.engines.llamacpp import LlamaCpp
from oxlo.engines.llamacpp_child import Config
from oxlo.hardware.sizing import Machine
from oxlo.settings import Settings

MODEL = models.model(context_length=8192)


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def number(name: str, value: int) -> bytes:
    return text(name) + struct.pack("<II", 4, value)


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    """A GGUF head: 30 layers, 9 heads of 64, 3 of them with keys and values; and some arrays."""
    entries = [
        text("general.architecture") + struct.pack("<I", 8) + text("llama"),
        text("words") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("bc"),
        text("scores") + struct.pack("<IIQ", 9, 6, 2) + struct.pack("<ff", 1.0, 2.0),
        number("llama.block_count", 30),
        number("llama.embedding_length", 576),
        number("llama.attention.head_count", 9),
        number("llama.attention.head_count_kv", 3),
    ]
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, len(entries)) + b"".join(entries))
    return path


def launch(
    path: Path,
    args: dict[str, object] | None = None,
    slots: int = 0,
    model: Model = MODEL,
    more: Sequence[Path] = (),
) -> Launch:
    variant = Variant(hardware="cpu", engine="llamacpp", args=args or {})
    given = Settings(home=path.parent, llamacpp_slots=slots)
    return LlamaCpp().launch(EngineSpec(model, variant, given, [*more, path], Machine(2, 16_000)))


def test_head_says_the_context_size(model_file: Path) -> None:
    """Two 16-bit vectors a layer for each head with keys and values."""
    assert gguf.bytes_per_token(gguf.read(model_file)) == 30 * 3 * (64 + 64) * 2


def test_sized_to_the_machine(model_file: Path) -> None:
    """Everything that was decided is in the arguments that are logged; the key is not."""
    found = launch(model_file)
    config = msgspec.json.decode(found.config, type=Config)
    assert (config.threads, config.slots, config.context, config.cache_mb) == (2, 5, 8192, 512)
    assert found.arguments["slots"] == found.slots == 5
    assert found.api_key == config.api_key != ""
    assert found.api_key not in str(found.arguments) + str(found.argv)


def test_memory_is_that_of_all_contexts(model_file: Path) -> None:
    """Its contexts are taken whole at the start, and beside them the cache and what it reads."""
    found, a_context = launch(model_file), 8192 * 30 * 3 * (64 + 64) * 2
    assert found.memory_mb == (5 * a_context >> 20) + 200 + 512
    assert found.arguments["memory_mb"] == found.memory_mb


def test_settings_win_over_the_model_file(model_file: Path) -> None:
    """OXLO_LLAMACPP_* is the operator's last word."""
    found = launch(model_file, {"slots": 3, "context": 2048}, slots=6)
    assert (found.slots, found.context_length) == (6, 2048)


def test_an_embedding_model_reads_a_text_at_once(model_file: Path) -> None:
    """What is computed at once is as long as the longest text."""
    model = msgspec.structs.replace(MODEL, abilities=frozenset({"embeddings"}), context_length=2048)
    found = launch(model_file, {"pooling": "last"}, model=model)
    config = msgspec.json.decode(found.config, type=Config)
    assert (config.embeds, config.pooling, config.batch) == (True, "last", 2050)
    chats = msgspec.json.decode(launch(model_file).config, type=Config)
    assert (chats.embeds, chats.pooling, chats.batch) == (False, None, 512)


def test_projector_is_known_by_itself(model_file: Path, tmp_path: Path) -> None:
    """In whatever order the files are named; a model without one has no eyes."""
    mmproj = projector.write(tmp_path / "a-name.gguf", 576)
    config = msgspec.json.decode(launch(model_file, more=[mmproj]).config, type=Config)
    assert (config.weights, config.projector) == (str(model_file), str(mmproj))
    assert msgspec.json.decode(launch(model_file).config, type=Config).projector == ""


def test_sight_needs_a_projector(model_file: Path, tmp_path: Path) -> None:
    """A model that is said to see and cannot is not started; nor is a projector alone."""
    sees = msgspec.structs.replace(MODEL, abilities=frozenset({"chat", "vision"}))
    with pytest.raises(CannotLaunch, match="m sees, but its model file names no projector"):
        launch(model_file, model=sees)
    with pytest.raises(CannotLaunch, match="names no weights"):
        launch(projector.write(tmp_path / "mmproj.gguf", 576))


def test_unknown_argument(model_file: Path) -> None:
    """A misspelt argument is an error, not a silent default."""
    with pytest.raises(CannotLaunch, match="slotz"):
        launch(model_file, {"slotz": 3})


#: The start of a file with one value, up to the length of its name.
ONE_VALUE = b"GGUF" + struct.pack("<IQQ", 3, 0, 1)
#: The same, up to the type of the items of an array, whose number follows.
ONE_ARRAY = ONE_VALUE + struct.pack("<QcI", 1, b"a", 9)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"hello", "not a GGUF file"),
        (b"GGUF\x03\0\0", "damaged"),
        (ONE_VALUE + struct.pack("<Q", 1 << 50), "damaged"),
        (ONE_VALUE + struct.pack("<Q", 1 << 63), "damaged"),
        (ONE_ARRAY + struct.pack("<IQ", 10, 1 << 62), "damaged"),
        (ONE_ARRAY + struct.pack("<IQQ", 8, 1, 1 << 63), "damaged"),
    ],
)
def test_bad_file(tmp_path: Path, content: bytes, reason: str) -> None:
    """A file that is no model is refused before a process is started."""
    path = tmp_path / "m.gguf"
    path.write_bytes(content)
    with pytest.raises(CannotLaunch, match=reason):
        launch(path)


def test_missing_file(tmp_path: Path) -> None:
    """The missing file is named."""
    with pytest.raises(CannotLaunch, match=r"gone\.gguf is missing"):
        launch(tmp_path / "gone.gguf")


def test_log_is_explained() -> None:
    """The first error line is the cause; the lines after it repeat it."""
    log = (
        "0.00.048.342 E llama_model_load: error loading model: tensor data is out of bounds",
        "0.00.048.363 E llama_model_load_from_file_impl: failed to load model",
    )
    assert LlamaCpp().explain(log) == "error loading model: tensor data is out of bounds"
    assert LlamaCpp().explain(("0.1 W nothing wrong",)) == ""
