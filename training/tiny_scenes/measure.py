"""Evaluates a trained pipeline: `python -m tiny_scenes.measure FOLDER`.

Prints the accuracy of colour, shape, position etc. for captions of held-out combinations. To
validate the judge, it also prints its scores on drawn scenes and on images of other captions.
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from numpy.random import default_rng
from PIL import Image as Pictures

from tiny_scenes import captions, dataset, judge, pipeline, score
from tiny_scenes.dataset import Drawn
from tiny_scenes.scenes import Image
from tiny_scenes.score import Score

#: Seed of the captions, different from training.
_SEED = 2026
_AT_ONCE = 50
_COLUMNS = 10


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the trained pipeline")
    parser.add_argument("--captions", type=int, default=200)
    parser.add_argument("--steps", type=int, default=pipeline.STEPS)
    parser.add_argument("--guidance", type=float, default=pipeline.GUIDANCE)
    parser.add_argument("--sheet", type=Path, help="write the first pictures here, as one PNG")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    unseen = held_back(chosen.captions)
    images = drawn_by(load(chosen.folder), unseen, chosen.steps, chosen.guidance)
    print(table(rows(unseen, images)))
    if chosen.sheet:
        sheet(images).save(chosen.sheet, optimize=True)


def held_back(count: int) -> Drawn:
    """Generate scenes of held-out combinations and their drawings."""
    return dataset.make(count, _SEED, held_back=True)


def said(unseen: Drawn) -> list[str]:
    """Build a full caption for each scene."""
    random = default_rng(_SEED)
    return [captions.full(scene, random) for scene in unseen.scenes]


def load(folder: Path) -> StableDiffusionPipeline:
    """Load the pipeline as users do."""
    loaded = StableDiffusionPipeline.from_pretrained(folder, use_safetensors=True)
    loaded.set_progress_bar_config(disable=True)
    return loaded


def drawn_by(
    model: StableDiffusionPipeline, unseen: Drawn, steps: int, guidance: float
) -> list[Image]:
    """Generate images for the captions."""
    wanted = said(unseen)
    images: list[Image] = []
    for at in range(0, len(wanted), _AT_ONCE):
        some = wanted[at : at + _AT_ONCE]
        images.extend(pipeline.draw(model, some, seed=at, steps=steps, guidance=guidance))
    return images


def rows(unseen: Drawn, images: Sequence[Image]) -> dict[str, Score]:
    """Score the model's images, and the two controls of the judge."""
    seen = [judge.read(image) for image in images]
    result = {"model": score.mean(unseen.scenes, seen)}
    for kind in ("one", "pair", "several"):
        numbers = [number for number, scene in enumerate(unseen.scenes) if scene.kind == kind]
        scenes = [unseen.scenes[number] for number in numbers]
        result[f"model: {kind}"] = score.mean(scenes, [seen[number] for number in numbers])
    drawn = [judge.read(image) for image in unseen.images]
    result["drawn scenes"] = score.mean(unseen.scenes, drawn)
    result["shuffled captions"] = score.mean(unseen.scenes, [seen[-1], *seen[:-1]])
    return result


def table(result: dict[str, Score]) -> str:
    """Format as a Markdown table, in per cent."""
    names = list(asdict(next(iter(result.values()))))
    lines = [f"| | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for title, row in result.items():
        numbers = [f"{100 * share:.1f}" for share in asdict(row).values()]
        lines.append(f"| {title} | {' | '.join(numbers)} |")
    return "\n".join(lines)


def sheet(images: Sequence[Image], rows: int = 5) -> Pictures.Image:
    """Arrange the first images side by side with a reduced palette, for a small file."""
    lines = [images[row * _COLUMNS : (row + 1) * _COLUMNS] for row in range(rows)]
    whole = np.concatenate([np.concatenate(line, 1) for line in lines])
    return Pictures.fromarray(whole).quantize(64)


if __name__ == "__main__":
    main()
