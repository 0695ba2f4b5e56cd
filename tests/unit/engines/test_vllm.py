"""How a vLLM engine is decided, before any process starts."""

from pathlib import Path

import msgspec
import pytest
from tests import models

from oxlo import catalogue
from oxlo.catalogue import Hardware, Model, Variant
from oxlo.engines import vllm_flags
from oxlo.engines.base import CannotLaunch, EngineSpec, Launch
from oxlo.engines.vllm import Vllm
from oxlo.engines.vllm_child import Config
from oxlo.hardware.sizing import Machine
from oxlo.settings import Settings
from oxlo.testing.vllm import parse

KNOWN = catalogue.load()
MODEL = models.model(abilities=("chat", "tools"), context_length=8192)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """With a program and weights that are there."""
    (tmp_path / "weights").mkdir()
    program = tmp_path / "vllm"
    program.touch(mode=0o755)
    return Settings(home=tmp_path, vllm=str(program))


def launch(settings: Settings, model: Model = MODEL, **args: object) -> Launch:
    variant = Variant(hardware="a100", engine="vllm", args=args)
    return started(settings, model, variant)


def started(settings: Settings, model: Model, variant: Variant) -> Launch:
    return Vllm().launch(
        EngineSpec(model, variant, settings, [settings.weights_dir], Machine(8, 64_000))
    )


def command(launched: Launch) -> tuple[str, ...]:
    return msgspec.json.decode(launched.config, type=Config).command


def test_every_argument_is_said(settings: Settings) -> None:
    """Nothing is left to a default of vLLM's, which change between its versions."""
    found = launch(settings, tensor_parallel=4, max_num_seqs=16, dtype="half", tool_parser="hermes")
    assert command(found)[1:] == (
        "serve", str(settings.weights_dir),
        "--served-model-name", "m", "--tensor-parallel-size", "4", "--pipeline-parallel-size", "1",
        "--max-model-len", "8192", "--max-num-seqs", "16", "--gpu-memory-utilization", "0.9",
        "--dtype", "half", "--scheduling-policy", "priority", "--generation-config", "vllm",
        "--tool-call-parser", "hermes", "--enable-prefix-caching", "--enable-prompt-tokens-details",
        "--no-enable-log-requests", "--disable-uvicorn-access-log", "--enable-auto-tool-choice",
    )  # fmt: skip
    assert (found.slots, found.context_length, found.engine_model) == (16, 8192, "m")


def test_the_key_is_in_no_command(settings: Settings) -> None:
    """It reaches the child over stdin and vLLM in its environment; arguments are logged."""
    found = launch(settings)
    assert len(found.api_key) > 20
    assert found.api_key not in str(found.arguments) + str(found.argv) + str(command(found))


def test_pictures_come_as_data(settings: Settings) -> None:
    """A model that sees takes so many pictures, no other media, and fetches nothing itself."""
    sees = msgspec.structs.replace(MODEL, abilities=frozenset({"chat", "vision"}))
    found = command(launch(settings, sees, limit_images=3))
    assert found[found.index("--limit-mm-per-prompt") + 1] == '{"image":3,"video":0,"audio":0}'
    assert found[found.index("--allowed-media-domains") + 1] == "none.invalid"
    assert "--limit-mm-per-prompt" not in command(launch(settings))


def test_nothing_is_asked_of_the_network(settings: Settings) -> None:
    """No hub, as the weights are here; and no statistics for vLLM's developers."""
    config = msgspec.json.decode(launch(settings).config, type=Config)
    quiet = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "HF_HUB_OFFLINE": "1"}
    assert config.environment == quiet


@pytest.mark.parametrize(
    ("hardware", "memory_mb", "share"),
    [("a100", 73_728, "0.9"), ("h200", 73_728, "0.512"), ("a100", None, "0.8"), ("cpu", 9, "0.8")],
)
def test_its_share_of_a_card(
    settings: Settings, hardware: Hardware, memory_mb: int | None, share: str
) -> None:
    """What the variant takes, as a part of its kind of card; else what the argument says."""
    args = {"gpu_memory_utilization": 0.8}
    variant = Variant(hardware=hardware, engine="vllm", memory_mb=memory_mb, args=args)
    found = command(started(settings, MODEL, variant))
    assert found[found.index("--gpu-memory-utilization") + 1] == share


def test_weights_are_a_folder(settings: Settings) -> None:
    """A single file is no repository."""
    variant = Variant(hardware="a100", engine="vllm")
    file = settings.home / "vllm"
    with pytest.raises(CannotLaunch, match="names no repository"):
        Vllm().launch(EngineSpec(MODEL, variant, settings, [file], Machine(8, 64_000)))


@pytest.mark.parametrize(
    "flags",
    [
        ("--trust-remote-code",),
        ("--trust_remote_code",),
        ("--trust-remote",),
        ("--no-enable-log-requests",),
        ("--api-key=k",),
        ("--host", "0.0.0.0"),
        ("--allowed-local-media-path", "/"),
        ("--config=more.yaml",),
        ("--disable-log-stats",),
        ("--middleware", "a.b"),
        ("--kv-cache-dtype", "fp8", "--port=1"),
        ("-tp", "4"),
        ("--",),
    ],
)
def test_flags_that_are_refused(flags: tuple[str, ...]) -> None:
    """What would open a door, run code, log words or undo a decision; however it is spelt."""
    with pytest.raises(CannotLaunch, match="args for vllm"):
        vllm_flags.check(flags)


@pytest.mark.parametrize(
    "flags",
    [
        ("--kv-cache-dtype", "fp8"),
        ("--tokenizer-mode", "mistral", "--config-format", "mistral", "--load-format", "mistral"),
        ("--no-enable-prefix-caching",),
        ("--max-num-batched-tokens=8192", "--seed", "-1"),
        ("--hf-overrides.rope_theta=5000000",),
    ],
)
def test_flags_that_are_taken(flags: tuple[str, ...]) -> None:
    """What makes it faster or lets it read the weights."""
    vllm_flags.check(flags)


def test_code_from_a_hub_needs_consent(settings: Settings) -> None:
    """A repository's own code runs only for a model that the operator named."""
    with pytest.raises(CannotLaunch, match="read it, then allow it with OXLO_REMOTE_CODE=m"):
        launch(settings, remote_code=True)
    allowed = Settings(home=settings.home, vllm=settings.vllm, remote_code=("m",))
    assert "--trust-remote-code" in command(launch(allowed, remote_code=True))


def test_missing_program(tmp_path: Path) -> None:
    """The operator is told both ways to have it."""
    (tmp_path / "weights").mkdir()
    with pytest.raises(CannotLaunch, match=r"pip install 'oxlo\[vllm\]', or .* OXLO_VLLM"):
        launch(Settings(home=tmp_path, vllm="no-such-program"))


@pytest.mark.parametrize(
    "args", [{"max_num_seq": 4}, {"tensor_parallel": 0}, {"gpu_memory_utilization": 1.5}]
)
def test_wrong_arguments(settings: Settings, args: dict[str, object]) -> None:
    """A misspelt or impossible argument is an error, not a silent default."""
    with pytest.raises(CannotLaunch, match="the model file's args for vllm"):
        launch(settings, **args)


def shipped() -> list[tuple[Model, Variant]]:
    return [(m, v) for m in KNOWN for v in m.variants if v.engine == "vllm"]


@pytest.mark.parametrize(("model", "variant"), shipped(), ids=lambda x: getattr(x, "id", ""))
def test_every_shipped_variant_can_be_started(
    settings: Settings, model: Model, variant: Variant
) -> None:
    """The catalogue's arguments are known, and its further flags are not refused."""
    allowed = Settings(home=settings.home, vllm=settings.vllm, remote_code=(model.id,))
    found = started(allowed, model, variant)
    assert parse(command(found)[1:]).served_model_name == model.id


LOG = (
    "(EngineCore pid=7) ERROR 11-25 01:00:00 [core.py:842] Traceback (most recent call last):",
    "(EngineCore pid=7) ERROR 11-25 01:00:00 [core.py:842] ValueError: No available memory for "
    "the cache blocks. Try increasing `gpu_memory_utilization`.",
    "(APIServer pid=1) RuntimeError: Engine core initialization failed. See root cause above.",
)


def test_log_is_explained() -> None:
    """The first error is the cause; what other processes say about it is not."""
    assert Vllm().explain(LOG).startswith("ValueError: No available memory for the cache blocks.")
    assert Vllm().explain(LOG[2:]).startswith("RuntimeError: Engine core")
    usage = "vllm serve: error: unrecognized arguments: --no-enable-log-requests"
    assert Vllm().explain((usage,)) == usage.partition(" ")[2]
    assert Vllm().explain(("INFO all is well",)) == ""
