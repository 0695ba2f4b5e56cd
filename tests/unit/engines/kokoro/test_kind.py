"""How a Kokoro engine is started."""

from pathlib import Path

import msgspec
import pytest

from oxlo import catalogue
from oxlo.catalogue import Hardware, Variant
from oxlo.engines.base import CannotLaunch, EngineSpec
from oxlo.engines.kokoro.config import Config
from oxlo.engines.kokoro.kind import Kokoro
from oxlo.hardware.sizing import Machine
from oxlo.settings import Settings

FILES = [Path("/w/1/kokoro.onnx"), Path("/w/2/voices.bin")]


def launched(paths: list[Path] = FILES, hardware: Hardware = "cpu", **args: object) -> Config:
    variant = Variant(hardware=hardware, engine="kokoro", args=dict(args))
    model = catalogue.load().resolve("kokoro-82m")
    launch = Kokoro().launch(EngineSpec(model, variant, Settings(), paths, Machine(4, 8000)))
    return msgspec.json.decode(launch.config, type=Config)


def test_the_default_voice_is_the_first() -> None:
    """Each voice knows its place in the file, and its language as espeak names it."""
    config = launched()
    assert config.voices[0].id == "af_heart"
    places = {voice.id: (voice.index, voice.language) for voice in config.voices}
    assert places["af_alloy"] == (0, "en-us")
    assert places["ff_siwis"] == (31, "fr-fr")
    assert len(places) == 41
    assert (config.device, config.threads, config.slots) == ("cpu", 4, 2)


def test_voices_in_files_of_their_own(tmp_path: Path) -> None:
    """As they lie in a hub's repository; those that are missing are no voices."""
    for name in ("onnx/model.onnx", "voices/af_heart.bin", "voices/bf_emma.bin"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    config = launched([tmp_path], "l40s")
    assert [(v.id, Path(v.path).name, v.index) for v in config.voices] == [
        ("af_heart", "af_heart.bin", 0), ("bf_emma", "bf_emma.bin", 0),
    ]  # fmt: skip
    assert config.device == "cuda"


@pytest.mark.parametrize(
    ("paths", "why"),
    [(FILES[1:], "onnx"), (FILES[:1], "files of voices"), ([*FILES, FILES[0]], "2")],
)
def test_what_cannot_be_started(paths: list[Path], why: str) -> None:
    """The operator is told why."""
    with pytest.raises(CannotLaunch, match=why):
        launched(paths)
