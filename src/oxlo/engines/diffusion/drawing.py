"""What is drawn, and with which words a pipeline is told so: pure."""

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from oxlo.engines.diffusion.config import Config
from oxlo.engines.diffusion.wish import Wish
from oxlo.wire.decode import unsupported
from oxlo.wire.images import Quality
from oxlo.wire.sizes import Size

if TYPE_CHECKING:
    from PIL.Image import Image

#: Seeds wrap around here: what torch takes and every JSON reader keeps exact.
SEEDS = 2**32
#: How far an edit may leave its image, where the call does not say.
_STRENGTH = 0.8
#: Models whose own steps are fewer were made for exactly so many.
_FEW = 8
#: Steps of a quality, beside the model's own.
_EFFORT: dict[Quality, float] = {"low": 0.5, "medium": 1, "high": 2, "xhigh": 3, "max": 4}
#: By the names that qualities have now.
_NAMES: dict[Quality, Quality] = {"auto": "medium", "standard": "medium", "hd": "high"}


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """Everything decided about the images of one call."""

    prompt: str
    negative_prompt: str
    size: Size
    #: One for each image.
    seeds: tuple[int, ...]
    steps: int
    guidance: float
    #: The picture to begin with, of this size; white of the mask is drawn anew.
    image: "Image | None" = None
    mask: "Image | None" = None
    strength: float | None = None
    #: As OpenAI names it.
    quality: Quality = "medium"
    #: Pictures of it under way that are wanted.
    partial_images: int = 0


def decide(wish: Wish, config: Config, size: Size, random: int) -> Drawing:
    """What was asked for, and the model's own where nothing was; `random` is the seed then."""
    first = random if wish.seed is None else wish.seed
    quality = _quality(wish, config)
    return Drawing(
        prompt=wish.prompt,
        negative_prompt=wish.negative_prompt or "",
        size=size,
        seeds=tuple((first + number) % SEEDS for number in range(wish.n or 1)),
        steps=wish.num_inference_steps or _steps(quality, config),
        guidance=config.guidance if wish.guidance_scale is None else wish.guidance_scale,
        strength=wish.strength,
        quality=quality,
        partial_images=wish.partial_images or 0,
    )


def _quality(wish: Wish, config: Config) -> Quality:
    """What is drawn, which is what was asked for wherever more steps make a difference."""
    if config.steps < _FEW and not wish.num_inference_steps:
        return "medium"
    asked = wish.quality or "auto"
    return _NAMES.get(asked, asked)


def _steps(quality: Quality, config: Config) -> int:
    return min(config.most_steps, max(1, round(config.steps * _EFFORT[quality])))


def moments(steps: int, wanted: int) -> list[int]:
    """After how many of its steps a drawing is shown: evenly, and never after the last one."""
    evenly = (steps * number // (wanted + 1) for number in range(1, wanted + 1))
    return sorted({step for step in evenly if step})


class Words:
    """The words that one class of pipelines takes: they differ from class to class."""

    #: Without these there are no images of one's own choosing, and no progress.
    NEEDED = (
        "prompt", "num_images_per_prompt", "num_inference_steps", "generator",
        "callback_on_step_end",
    )  # fmt: skip

    def __init__(self, pipeline: Any, *, distilled: bool) -> None:
        """`distilled`: guidance is an input of the model, not a second pass without the prompt."""
        self._known = inspect.signature(pipeline.__call__).parameters
        self.missing = [name for name in self.NEEDED if name not in self._known]
        true = "true_cfg_scale" in self._known and not distilled
        self._guidance = "true_cfg_scale" if true else "guidance_scale"

    def default(self, name: str) -> Any:
        """What the class itself takes for a word; None when it does not know it."""
        return self._known[name].default if name in self._known else None

    def call(self, drawing: Drawing) -> dict[str, Any]:
        """The words for a drawing, but for generators. Raises BadRequest for what it cannot do."""
        wished = {
            "prompt": drawing.prompt,
            "num_images_per_prompt": len(drawing.seeds),
            "num_inference_steps": drawing.steps,
            self._guidance: drawing.guidance,
            "width": drawing.size[0],
            "height": drawing.size[1],
            "negative_prompt": self._negative(drawing),
            "image": drawing.image,
            "mask_image": drawing.mask,
        } | self._strength(drawing)
        return {
            name: value
            for name, value in wished.items()
            if name in self._known and value is not None
        }

    def _negative(self, drawing: Drawing) -> str | None:
        if drawing.negative_prompt and "negative_prompt" not in self._known:
            raise unsupported("negative_prompt", "this model takes none.")
        # A second pass is made only where there is something to lead away from.
        second = self._guidance == "true_cfg_scale" and drawing.guidance > 1
        return drawing.negative_prompt or (" " if second else None)

    def _strength(self, drawing: Drawing) -> dict[str, Any]:
        """An edit runs only a part of its steps, `strength` of them: at least one."""
        if drawing.image is None:
            return {}
        if "strength" not in self._known:
            if drawing.strength is not None:
                raise unsupported("strength", "this model changes what the prompt says.")
            return {}
        strength = drawing.strength or _STRENGTH
        steps = max(drawing.steps, int(1 / strength) + 1)
        return {"strength": strength, "num_inference_steps": steps}
