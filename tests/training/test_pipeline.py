"""The shipped pipeline: standard classes, and images that match their prompts."""

from pathlib import Path

import pytest

pytest.importorskip("diffusers")
pytest.importorskip("torch")

import numpy as np
import torch
from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionPipeline

from oxlo.weights.sources import SHIPPED
from tiny_scenes import captions, judge, measure, pipeline, words
from tiny_scenes.judge import Reading

#: A deprecation warning of numpy in diffusers' scheduler.
pytestmark = pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")

FOLDER = SHIPPED / "tiny-scenes"


@pytest.fixture(scope="module")
def model() -> StableDiffusionPipeline:
    """The pipeline, on one thread."""
    torch.set_num_threads(1)
    return measure.load(FOLDER)


def drawn(model: StableDiffusionPipeline, caption: str, **options: object) -> Reading:
    """Generate an image and return the scene recognised by the judge."""
    (image,) = pipeline.draw(model, [caption], seed=3, **options)  # type: ignore[arg-type]
    return judge.read(image)


def test_it_draws_a_red_circle(model: StableDiffusionPipeline) -> None:
    """The image shows nothing else."""
    seen = drawn(model, "a red circle in the centre on a white background")
    assert seen.background == "white"
    assert [(thing.colour, thing.shape, thing.cell) for thing in seen.things] == [
        ("red", "circle", 4)
    ]


def test_same_seed_same_pixels(model: StableDiffusionPipeline) -> None:
    """The seed is the only source of randomness."""
    first = pipeline.draw(model, ["a blue star"], seed=7)
    assert np.array_equal(first, pipeline.draw(model, ["a blue star"], seed=7))
    assert not np.array_equal(first, pipeline.draw(model, ["a blue star"], seed=8))


def test_it_changes_a_picture() -> None:
    """Image to image keeps most of the background."""
    painter = StableDiffusionImg2ImgPipeline.from_pretrained(FOLDER, use_safetensors=True)
    painter.set_progress_bar_config(disable=True)
    ground = np.full((1, 64, 64, 3), (150, 205, 240), np.float32) / 255
    made = painter(
        "a large red square in the centre on a light blue background",
        image=ground,
        strength=0.9,
        num_inference_steps=16,
        guidance_scale=3.0,
        generator=torch.Generator().manual_seed(1),
        output_type="np",
    ).images[0]
    seen = judge.read((made * 255).round().astype(np.uint8))
    assert seen.background == "light blue"
    assert [(thing.colour, thing.shape) for thing in seen.things] == [("red", "square")]


def test_every_word_is_one_token() -> None:
    """Words of captions are one token each; others are split into characters."""
    tokenizer = words.build()
    assert all(len(tokenizer.tokenize(word)) == 1 for word in captions.words())
    assert len(tokenizer.tokenize("zebra")) > 1


def test_nothing_but_data_is_shipped() -> None:
    """Only safetensors and JSON, which cannot execute code."""
    files = [path for path in Path(FOLDER).rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".json", ".safetensors"}
    assert sum(path.stat().st_size for path in files) < 8_000_000


@pytest.mark.slow
def test_held_back_captions(model: StableDiffusionPipeline) -> None:
    """On 200 captions of held-out combinations: colour 95 %, shape and position 85 %."""
    unseen = measure.held_back(200)
    images = measure.drawn_by(model, unseen, pipeline.STEPS, pipeline.GUIDANCE)
    result = measure.rows(unseen, images)
    assert result["model"].colour >= 0.95
    assert min(result["model"].shape, result["model"].place) >= 0.85
    assert result["drawn scenes"].all >= 0.99
    assert result["shuffled captions"].all <= 0.02
