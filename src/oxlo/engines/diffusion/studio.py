"""A pool of pipelines that share one model's weights; each runs one request at a time."""

import copy
import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from diffusers import AutoPipelineForImage2Image, AutoPipelineForInpainting

from oxlo.engines.diffusion.decoding import decode
from oxlo.engines.diffusion.denoising import predicting
from oxlo.engines.diffusion.drawing import Arguments, Drawing, preview_steps
from oxlo.engines.diffusion.pictures import scaled
from oxlo.engines.diffusion.prompts import TOKENIZERS
from oxlo.errors import BadRequest
from oxlo.serving.process import CannotLoad
from oxlo.serving.work import Job
from oxlo.wire.decode import unsupported

if TYPE_CHECKING:
    from PIL.Image import Image

#: Receives each preview.
Preview = Callable[["Image"], None]


def _discard(picture: "Image") -> None:
    """The request wants no previews."""


class Task:
    """One task of a model (text-to-image, image-to-image or inpainting), and its pipeline."""

    def __init__(self, pipeline: Any) -> None:
        pipeline.set_progress_bar_config(disable=True)
        self._pipeline = pipeline
        self.arguments = Arguments(pipeline, distilled=_distilled(pipeline))

    def draw(self, drawing: Drawing, job: Job, preview: Preview) -> "list[Image]":
        """One image for each seed; each denoising step is a step of the job."""
        if not drawing.partial_images:
            return self._draw(drawing, lambda _: job.step())
        with predicting(self._pipeline.scheduler) as prediction:

            def step(number: int) -> None:
                job.step()
                if number in preview_steps(self._pipeline.num_timesteps, drawing.partial_images):
                    picture = decode(self._pipeline, prediction.latents, drawing.size)
                    if picture is not None:
                        preview(picture)

            return self._draw(drawing, step)

    def _draw(self, drawing: Drawing, stepped: Callable[[int], None]) -> "list[Image]":
        """Run the pipeline; after each step, `stepped` gets the number of steps taken."""

        def step(pipeline: Any, number: int, time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            stepped(number + 1)
            return tensors

        # On the CPU, so that a seed gives the same noise on every device.
        generators = [torch.Generator().manual_seed(seed) for seed in drawing.seeds]
        arguments = self.arguments.of(drawing)
        drawn = self._pipeline(**arguments, generator=generators, callback_on_step_end=step)
        if any(getattr(drawn, "nsfw_content_detected", None) or ()):
            raise BadRequest(
                "The model's safety checker withheld an image. Try another prompt or seed.",
                param="prompt",
                code="content_policy_violation",
            )
        images: list[Image] = drawn.images
        return images


class Pipelines:
    """The tasks of one model; those on images only if diffusers has a pipeline class for them."""

    def __init__(self, pipeline: Any) -> None:
        """Raises CannotLoad if the pipeline is not text-to-image."""
        self.text = Task(pipeline)
        if self.text.arguments.missing:
            raise CannotLoad(
                f"{type(pipeline).__name__} cannot be served: it does not take "
                f"{', '.join(self.text.arguments.missing)}"
            )
        self.image = _derived(AutoPipelineForImage2Image, pipeline)
        self.inpaint = _derived(AutoPipelineForInpainting, pipeline)

    def draw(self, drawing: Drawing, job: Job, preview: Preview) -> "list[Image]":
        """Draw with the task that the drawing needs. Raises BadRequest if the model lacks it."""
        if drawing.image is None:
            return self.text.draw(drawing, job, preview)
        if drawing.mask is None:
            return _able(self.image, "image").draw(drawing, job, preview)
        return _able(self.inpaint, "mask").draw(drawing, job, preview)


class Studio:
    """The pool: each running request borrows one set of pipelines."""

    def __init__(self, pipeline: Any, count: int) -> None:
        """Raises CannotLoad."""
        self._free: queue.SimpleQueue[Pipelines] = queue.SimpleQueue()
        first = Pipelines(pipeline)
        self._free.put(first)
        #: The pipeline's own limit on prompts, in tokens, if it has one.
        self.longest: int | None = first.text.arguments.default("max_sequence_length")
        for _ in range(1, count):
            self._free.put(Pipelines(_twin(pipeline)))

    def draw(self, drawing: Drawing, job: Job, preview: Preview = _discard) -> "list[Image]":
        """Wait for a free pipeline, then draw. Raises BadRequest, Cancelled.

        `preview` is called up to `drawing.partial_images` times; fewer if there are fewer steps.
        """
        with self._borrowed() as pipelines:
            job.step()  # raises Cancelled if the client left meanwhile
            images = pipelines.draw(
                drawing, job, lambda picture: preview(scaled(picture, drawing.scaled))
            )
        return [scaled(image, drawing.scaled) for image in images]

    @contextmanager
    def _borrowed(self) -> Iterator[Pipelines]:
        pipelines = self._free.get()
        try:
            yield pipelines
        finally:
            self._free.put(pipelines)


def _twin(pipeline: Any) -> Any:
    """A copy that shares the weights but not the components with state of a running request."""
    twin = copy.copy(pipeline)
    for name in ("scheduler", *TOKENIZERS):
        if pipeline.components.get(name) is not None:
            setattr(twin, name, copy.deepcopy(pipeline.components[name]))
    return twin


def _derived(auto: Any, pipeline: Any) -> Task | None:
    try:
        return Task(auto.from_pipe(pipeline))
    except ValueError:  # diffusers has no such class for this model
        return None


def _able(task: Task | None, param: str) -> Task:
    if task is None:
        raise unsupported(param, "this model makes images from text only.")
    return task


def _distilled(pipeline: Any) -> bool:
    """Whether guidance is an input of the model itself."""
    transformer = pipeline.components.get("transformer")
    return bool(transformer is not None and getattr(transformer.config, "guidance_embeds", False))
