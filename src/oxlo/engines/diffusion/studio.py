"""Pipelines that share one model's weights, each drawing one call at a time."""

import copy
import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from diffusers import AutoPipelineForImage2Image, AutoPipelineForInpainting

from oxlo.engines.diffusion.developing import develop
from oxlo.engines.diffusion.drawing import Drawing, Words, moments
from oxlo.engines.diffusion.guess import guessing
from oxlo.engines.diffusion.prompt import TOKENIZERS
from oxlo.errors import BadRequest
from oxlo.serving.process import CannotLoad
from oxlo.serving.work import Job
from oxlo.wire.decode import unsupported

if TYPE_CHECKING:
    from PIL.Image import Image

#: Shows a picture under way.
Show = Callable[["Image"], None]


def _hide(picture: "Image") -> None:
    """Nobody asked for it."""


class Task:
    """One thing that a model can do: the pipeline for it, and the words that it takes."""

    def __init__(self, pipeline: Any) -> None:
        pipeline.set_progress_bar_config(disable=True)
        self._pipeline = pipeline
        self.words = Words(pipeline, distilled=_distilled(pipeline))

    def draw(self, drawing: Drawing, job: Job, show: Show) -> "list[Image]":
        """The images, one for each seed; each denoising step is a step of the job."""
        if not drawing.partial_images:
            return self._draw(drawing, lambda _: job.step())
        with guessing(self._pipeline.scheduler) as guess:

            def step(number: int) -> None:
                job.step()
                if number in moments(self._pipeline.num_timesteps, drawing.partial_images):
                    picture = develop(self._pipeline, guess.latents, drawing.size)
                    if picture is not None:
                        show(picture)

            return self._draw(drawing, step)

    def _draw(self, drawing: Drawing, taken: Callable[[int], None]) -> "list[Image]":
        """The images; `taken` is told how many steps have been taken, after each."""

        def step(pipeline: Any, number: int, time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            taken(number + 1)
            return tensors

        # Made on the CPU, noise is the same whatever the device.
        generators = [torch.Generator().manual_seed(seed) for seed in drawing.seeds]
        words = self.words.call(drawing)
        drawn = self._pipeline(**words, generator=generators, callback_on_step_end=step)
        if any(getattr(drawn, "nsfw_content_detected", None) or ()):
            raise BadRequest(
                "The model's own safety checker held an image back. Try another prompt or seed.",
                param="prompt",
                code="content_policy_violation",
            )
        images: list[Image] = drawn.images
        return images


class Pipelines:
    """What a model can do: images from words, and from images where its class of pipelines can."""

    def __init__(self, pipeline: Any) -> None:
        """Raises CannotLoad when the pipeline makes no images from words."""
        self.text = Task(pipeline)
        if self.text.words.missing:
            raise CannotLoad(
                f"{type(pipeline).__name__} cannot be served: it does not take "
                f"{', '.join(self.text.words.missing)}"
            )
        self.image = _derived(AutoPipelineForImage2Image, pipeline)
        self.inpaint = _derived(AutoPipelineForInpainting, pipeline)

    def draw(self, drawing: Drawing, job: Job, show: Show) -> "list[Image]":
        """The images. Raises BadRequest for what this model cannot do."""
        if drawing.image is None:
            return self.text.draw(drawing, job, show)
        if drawing.mask is None:
            return _able(self.image, "image").draw(drawing, job, show)
        return _able(self.inpaint, "mask").draw(drawing, job, show)


class Studio:
    """Where pipelines are borrowed, one for each call that is drawn."""

    def __init__(self, pipeline: Any, count: int) -> None:
        """Raises CannotLoad."""
        self._free: queue.SimpleQueue[Pipelines] = queue.SimpleQueue()
        first = Pipelines(pipeline)
        self._free.put(first)
        #: Tokens of a prompt that the pipeline reads, where it says so itself.
        self.longest: int | None = first.text.words.default("max_sequence_length")
        for _ in range(1, count):
            self._free.put(Pipelines(_twin(pipeline)))

    def draw(self, drawing: Drawing, job: Job, show: Show = _hide) -> "list[Image]":
        """The images, when a pipeline is free. Raises BadRequest, Cancelled.

        `show` gets as many pictures under way as the drawing asks for, or as there are steps to.
        """
        with self._borrowed() as pipelines:
            job.step()  # who left meanwhile is not drawn for
            return pipelines.draw(drawing, job, show)

    @contextmanager
    def _borrowed(self) -> Iterator[Pipelines]:
        pipelines = self._free.get()
        try:
            yield pipelines
        finally:
            self._free.put(pipelines)


def _twin(pipeline: Any) -> Any:
    """Another with the same weights, and parts of its own where they keep the state of a call."""
    twin = copy.copy(pipeline)
    for name in ("scheduler", *TOKENIZERS):
        if pipeline.components.get(name) is not None:
            setattr(twin, name, copy.deepcopy(pipeline.components[name]))
    return twin


def _derived(auto: Any, pipeline: Any) -> Task | None:
    try:
        return Task(auto.from_pipe(pipeline))
    except ValueError:  # there is none for this class
        return None


def _able(task: Task | None, param: str) -> Task:
    if task is None:
        raise unsupported(param, "this model makes images from words alone.")
    return task


def _distilled(pipeline: Any) -> bool:
    """Whether guidance is one of the model's own inputs."""
    transformer = pipeline.components.get("transformer")
    return bool(transformer is not None and getattr(transformer.config, "guidance_embeds", False))
