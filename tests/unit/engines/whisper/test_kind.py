"""How a Whisper engine is started."""

from pathlib import Path

import msgspec
import pytest

from oxlo import catalogue
from oxlo.catalogue import Hardware, Variant
from oxlo.engines.base import CannotLaunch, EngineSpec, Launch
from oxlo.engines.whisper.config import Config
from oxlo.engines.whisper.kind import Whisper
from oxlo.hardware.sizing import Machine
from oxlo.settings import Settings

FILES = [Path("/w/1/model.bin"), Path("/w/2/config.json")]


def launched(paths: list[Path] = FILES, hardware: Hardware = "cpu", **args: object) -> Launch:
    variant = Variant(hardware=hardware, engine="whisper", args=dict(args))
    model = catalogue.load().resolve("whisper-base")
    return Whisper().launch(EngineSpec(model, variant, Settings(), paths, Machine(8, 8000)))


def config(launch: Launch) -> Config:
    return msgspec.json.decode(launch.config, type=Config)


def test_a_cpu_s_threads_are_shared() -> None:
    """Two recordings at once, half of the cores each."""
    made = config(launched())
    assert (made.slots, made.threads, made.compute_type) == (2, 4, "int8")
    assert made.files == {"model.bin": "/w/1/model.bin", "config.json": "/w/2/config.json"}


def test_a_gpu_computes_in_halves() -> None:
    """And hears as many at once as its model file says."""
    made = config(launched(hardware="l40s", slots=8))
    assert (made.device, made.compute_type, made.slots) == ("cuda", "float16", 8)


def test_threads_share_a_heap() -> None:
    """In huge pages."""
    tunables = launched().environment["GLIBC_TUNABLES"].split(":")
    assert tunables == ["glibc.malloc.hugetlb=1", "glibc.malloc.arena_max=1"]


def test_files_in_one_folder(tmp_path: Path) -> None:
    """As a hub's repository lies on disk."""
    (tmp_path / "model.bin").touch()
    assert config(launched([tmp_path])).files == {"model.bin": str(tmp_path / "model.bin")}


@pytest.mark.parametrize(
    ("paths", "args", "why"),
    [
        ([Path("/w/model.safetensors")], {}, "no model.bin"),
        (FILES, {"device": "tpu"}, "args for whisper"),
        (FILES, {"slots": 0}, "args for whisper"),
    ],
)
def test_what_cannot_be_started(paths: list[Path], args: dict[str, object], why: str) -> None:
    """The operator is told why."""
    with pytest.raises(CannotLaunch, match=why):
        launched(paths, **args)


def test_the_key_is_not_logged() -> None:
    """Everything else that was decided is."""
    launch = launched()
    assert launch.api_key
    assert launch.api_key not in str(launch.arguments)
    assert launch.arguments["beam_size"] == 5
