"""How pipelines of several classes end, which is how their latents are made visible."""

from importlib.util import find_spec
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from oxlo.errors import BadRequest

if TYPE_CHECKING:
    from torch import Tensor

if find_spec("torch") is None:
    pytest.skip("needs the extra `images`", allow_module_level=True)

import torch

from oxlo.engines.diffusion.decoding import decode

SIZE = (64, 32)


class Decoder:
    """Its pixels are what it is given, and it remembers how precise it was then."""

    def __init__(self, **config: object) -> None:
        self.config, self.dtype, self.used = config, torch.float32, torch.float32

    def to(self, dtype: torch.dtype) -> None:
        self.dtype = dtype

    def decode(self, latents: "Tensor", *, return_dict: bool) -> "tuple[Tensor]":
        self.used = latents.dtype
        return (latents,)


class Processor:
    """Keeps the numbers, for the test to look at."""

    def postprocess(self, pixels: "Tensor", output_type: str) -> list[Any]:
        picture = Image.new("L", (1, 1))
        picture.info["pixels"] = pixels
        return [picture]


def pipeline(vae: Decoder, **more: object) -> Any:
    return SimpleNamespace(vae=vae, image_processor=Processor(), vae_scale_factor=8, **more)


def pixels(drawn: Image.Image | None) -> Any:
    assert drawn is not None
    return drawn.info["pixels"]


@pytest.mark.parametrize(
    ("config", "value"),
    [
        ({"scaling_factor": 0.5}, 4.0),
        ({"scaling_factor": 0.5, "shift_factor": 1.0}, 5.0),
        ({"scaling_factor": 0.5, "latents_mean": [3.0] * 4, "latents_std": [0.5] * 4}, 5.0),
        ({"latents_mean": [3.0] * 4, "latents_std": [0.5] * 4}, 4.0),
    ],
    ids=["Stable Diffusion", "Flux", "Playground", "Qwen Image"],
)
def test_latents_are_scaled(config: dict[str, object], value: float) -> None:
    """Back to what the decoder was trained on."""
    drawn = decode(pipeline(Decoder(**config)), torch.full((2, 4, 4, 8), 2.0), SIZE)
    assert pixels(drawn).shape == (1, 4, 4, 8)
    assert set(pixels(drawn).flatten().tolist()) == {value}


def test_a_film_has_one_picture() -> None:
    """Decoders that were made for films are given one moment."""
    drawn = decode(pipeline(Decoder()), torch.zeros(1, 3, 1, 4, 8), SIZE)
    assert pixels(drawn).shape == (1, 3, 4, 8)


def test_rows_become_a_grid() -> None:
    """As Flux.2 packs them: a patch after the other, line by line."""
    vae = Decoder()
    vae.bn = SimpleNamespace(running_mean=torch.zeros(3), running_var=torch.ones(3))  # type: ignore[attr-defined]
    vae.config = SimpleNamespace(batch_norm_eps=0.0, get=lambda name: None)  # type: ignore[assignment]
    flux = pipeline(vae, _unpatchify_latents=lambda latents: latents)
    rows = torch.arange(8.0).view(1, 8, 1).expand(1, 8, 3)
    grid = pixels(decode(flux, rows, SIZE))
    assert grid[0, 0].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_rows_that_nobody_knows() -> None:
    """Are refused, before anything of the image is shown."""
    with pytest.raises(BadRequest) as refusal:
        decode(pipeline(Decoder()), torch.zeros(1, 8, 3), SIZE)
    assert refusal.value.param == "partial_images"


@pytest.mark.parametrize(("config", "used"), [(True, torch.float32), (False, torch.float16)])
def test_a_decoder_that_needs_32_bits(config: bool, used: torch.dtype) -> None:
    """Gets them, and goes on with 16 afterwards."""
    vae = Decoder(force_upcast=config)
    vae.to(torch.float16)
    decode(pipeline(vae), torch.zeros(1, 4, 4, 8), SIZE)
    assert (vae.used, vae.dtype) == (used, torch.float16)


@pytest.mark.parametrize("found", [True, False])
def test_a_safety_checker_is_asked(found: bool) -> None:
    """What it holds back is not shown, and it blackens nothing that is."""

    def check(image: "Tensor", device: object, dtype: object) -> "tuple[Tensor, list[bool]]":
        return image.zero_(), [found]

    checked = pipeline(Decoder(), safety_checker=object(), run_safety_checker=check)
    drawn = decode(checked, torch.ones(1, 4, 4, 8), SIZE)
    assert (drawn is None) is found
    if drawn is not None:
        assert pixels(drawn).min() == 1
