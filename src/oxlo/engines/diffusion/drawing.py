"""What one request draws, and the pipeline arguments for it. Pure."""

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from oxlo.engines.diffusion.config import Config
from oxlo.engines.diffusion.params import ImageParams
from oxlo.wire.decode import unsupported
from oxlo.wire.images import Quality
from oxlo.wire.sizes import Size

if TYPE_CHECKING:
    from PIL.Image import Image

#: Seeds wrap around at 32 bits: torch takes them, and every JSON parser keeps them exact.
SEEDS = 2**32
#: Default strength of an edit.
_STRENGTH = 0.8
#: A model with fewer default steps is distilled for exactly that number.
_FEW = 8
#: Steps of each quality, as a multiple of the model's default.
_EFFORT: dict[Quality, float] = {"low": 0.5, "medium": 1, "high": 2, "xhigh": 3, "max": 4}
#: Older names of qualities.
_ALIASES: dict[Quality, Quality] = {"auto": "medium", "standard": "medium", "hd": "high"}


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """Everything that determines the images of one request."""

    prompt: str
    negative_prompt: str
    #: What the pipeline draws, and what it is scaled to afterwards; None: as it is.
    size: Size
    scaled: Size | None = None
    #: One for each image.
    seeds: tuple[int, ...]
    steps: int
    guidance: float
    #: For edits: the source image, already of this size, and its mask; white is redrawn.
    image: "Image | None" = None
    mask: "Image | None" = None
    strength: float | None = None
    #: As the response reports it.
    quality: Quality = "medium"
    #: Number of previews to send before the finished image.
    partial_images: int = 0


def decide(params: ImageParams, config: Config, size: Size, random: int) -> Drawing:
    """Fill in the model's defaults; `random` is the seed of a request that names none."""
    first = random if params.seed is None else params.seed
    quality = _quality(params, config)
    return Drawing(
        prompt=params.prompt,
        negative_prompt=params.negative_prompt or "",
        size=config.drawn or size,
        scaled=size if config.drawn else None,
        seeds=tuple((first + number) % SEEDS for number in range(params.n or 1)),
        steps=params.num_inference_steps or _steps(quality, config),
        guidance=config.guidance if params.guidance_scale is None else params.guidance_scale,
        strength=params.strength,
        quality=quality,
        partial_images=params.partial_images or 0,
    )


def _quality(params: ImageParams, config: Config) -> Quality:
    """The quality that is drawn: a distilled model knows only one."""
    if config.steps < _FEW and not params.num_inference_steps:
        return "medium"
    asked = params.quality or "auto"
    return _ALIASES.get(asked, asked)


def _steps(quality: Quality, config: Config) -> int:
    return min(config.most_steps, max(1, round(config.steps * _EFFORT[quality])))


def preview_steps(steps: int, previews: int) -> list[int]:
    """After which of its steps a drawing sends a preview: evenly spaced, never after the last."""
    evenly = (steps * number // (previews + 1) for number in range(1, previews + 1))
    return sorted({step for step in evenly if step})


class Arguments:
    """The keyword arguments of a pipeline; their names differ between pipeline classes."""

    #: A pipeline without one of these cannot be served.
    REQUIRED = (
        "prompt", "num_images_per_prompt", "num_inference_steps", "generator",
        "callback_on_step_end",
    )  # fmt: skip

    def __init__(self, pipeline: Any, *, distilled: bool) -> None:
        """`distilled`: guidance is an input of the model, not a second, unconditional pass."""
        self._known = inspect.signature(pipeline.__call__).parameters
        self.missing = [name for name in self.REQUIRED if name not in self._known]
        true = "true_cfg_scale" in self._known and not distilled
        self._guidance = "true_cfg_scale" if true else "guidance_scale"

    def default(self, name: str) -> Any:
        """The class's own default of an argument; None if it does not have the argument."""
        return self._known[name].default if name in self._known else None

    def of(self, drawing: Drawing) -> dict[str, Any]:
        """The arguments for a drawing, except generators. Raises BadRequest."""
        wanted = {
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
            for name, value in wanted.items()
            if name in self._known and value is not None
        }

    def _negative(self, drawing: Drawing) -> str | None:
        if drawing.negative_prompt and "negative_prompt" not in self._known:
            raise unsupported("negative_prompt", "this model takes none.")
        # These pipelines run the unconditional pass only if there is a negative prompt.
        second = self._guidance == "true_cfg_scale" and drawing.guidance > 1
        return drawing.negative_prompt or (" " if second else None)

    def _strength(self, drawing: Drawing) -> dict[str, Any]:
        """An edit runs only the fraction `strength` of its steps; this ensures at least one."""
        if drawing.image is None:
            return {}
        if "strength" not in self._known:
            if drawing.strength is not None:
                raise unsupported("strength", "this model changes what the prompt says.")
            return {}
        strength = drawing.strength or _STRENGTH
        steps = max(drawing.steps, int(1 / strength) + 1)
        return {"strength": strength, "num_inference_steps": steps}
