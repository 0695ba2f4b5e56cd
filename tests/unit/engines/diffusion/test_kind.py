"""How an image engine is decided, before any process starts."""

from importlib.util import find_spec
from pathlib import Path

import msgspec
import pytest
from tests import models

from oxlo import catalogue
from oxlo.catalogue import Parameter, Variant
from oxlo.engines.base import CannotLaunch, EngineSpec, Launch
from oxlo.engines.diffusion.config import Config
from oxlo.engines.diffusion.kind import Args, Diffusers
from oxlo.engines.launching import arguments
from oxlo.hardware.sizing import Machine
from oxlo.settings import Settings

pytestmark = pytest.mark.skipif(
    not all(map(find_spec, ("torch", "diffusers"))), reason="needs the extra `images`"
)

MODEL = models.model(
    "scenes",
    category="image",
    abilities=("images",),
    parameters={
        "size": Parameter(type="string", default="64x64", choices=("64x64",), description=""),
        "num_inference_steps": Parameter(type="int", default=20, description=""),
    },
)


def launch(folder: Path, **args: object) -> Launch:
    (folder / "model_index.json").touch()
    variant = Variant(hardware="cpu", engine="diffusers", args=args)
    settings = Settings(home=folder)
    return Diffusers().launch(EngineSpec(MODEL, variant, settings, [folder], Machine(4, 8000)))


def test_decided_by_the_catalogue(tmp_path: Path) -> None:
    """Sizes, steps and guidance are what `/parameters` publishes."""
    found = msgspec.json.decode(launch(tmp_path).config, type=Config)
    assert (found.sizes.own, found.sizes.only) == ((64, 64), ((64, 64),))
    assert (found.steps, found.guidance, found.threads) == (20, 7.5, 4)


def test_one_size_is_drawn(tmp_path: Path) -> None:
    """A model file may say that other sizes are scaled from it; most draw each size itself."""
    args = [
        msgspec.json.decode(launch(tmp_path, **more).config) for more in ({}, {"drawn": "64x64"})
    ]
    assert [arg["drawn"] for arg in args] == [None, [64, 64]]


def test_one_call_more_than_is_drawn(tmp_path: Path) -> None:
    """The next call is at the engine before it is free; threads are shared by those that draw."""
    found = launch(tmp_path, slots=2)
    config = msgspec.json.decode(found.config, type=Config)
    assert (found.slots, config.pipelines, config.threads) == (3, 2, 2)


def test_the_key_is_no_argument(tmp_path: Path) -> None:
    """It travels over stdin alone."""
    found = launch(tmp_path)
    assert found.api_key
    assert found.api_key not in str(found.argv) + str(found.arguments)


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        ({"steps": 4}, "unknown field"),
        ({"scheduler": "magic"}, "scheduler"),
        ({"offload": "model", "slots": 2}, "one request at a time"),
    ],
)
def test_what_cannot_be(tmp_path: Path, args: dict[str, object], reason: str) -> None:
    """The reason is the operator's to read."""
    with pytest.raises(CannotLaunch, match=reason):
        launch(tmp_path, **args)


def test_weights_that_are_no_pipeline(tmp_path: Path) -> None:
    """A folder without an index."""
    variant = Variant(hardware="cpu", engine="diffusers")
    with pytest.raises(CannotLaunch, match="model_index"):
        Diffusers().launch(
            EngineSpec(MODEL, variant, Settings(home=tmp_path), [tmp_path], Machine(1, 1000))
        )


@pytest.mark.parametrize(
    "variant",
    [v for model in catalogue.load() for v in model.variants if v.engine == "diffusers"],
)
def test_the_catalogue_s_arguments_are_known(variant: Variant) -> None:
    """What shipped model files say under `args`."""
    assert arguments(variant, Args).slots >= 1
