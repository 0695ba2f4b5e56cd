"""What is under the noise: a scheduler's own guess, at the step that it has just taken."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from diffusers import FlowMatchEulerDiscreteScheduler
from torch import Tensor


class Guess:
    """The latest guess."""

    def __init__(self) -> None:
        self._clean: Tensor | None = None

    def learn(self, clean: Tensor) -> None:
        """A step was taken."""
        self._clean = clean

    @property
    def latents(self) -> Tensor:
        """As a pipeline holds them."""
        assert self._clean is not None
        return self._clean


@contextmanager
def guessing(scheduler: Any) -> Iterator[Guess]:
    """Watch each step of a scheduler that nobody else uses meanwhile."""
    take, guess = scheduler.step, Guess()

    @wraps(take)  # pipelines read from its signature what they may tell it
    def step(output: Tensor, time: Any, sample: Tensor, *args: Any, **more: Any) -> Any:
        taken = take(output, time, sample, *args, **more)
        guess.learn(_clean(scheduler, taken, output, time, sample))
        return taken

    scheduler.step = step
    try:
        yield guess
    finally:
        del scheduler.step  # what is left is the class's own


def _clean(scheduler: Any, taken: Any, output: Tensor, time: Any, sample: Tensor) -> Tensor:
    """Latents without noise, as far as this kind of scheduler tells; else those with it."""
    if len(taken) > 1:
        clean: Tensor = taken[1]
    elif _keeps(scheduler.config):
        clean = scheduler.model_outputs[-1]
    elif isinstance(scheduler, FlowMatchEulerDiscreteScheduler):
        clean = sample - scheduler.sigmas[scheduler.step_index - 1] * output
    elif scheduler.config.get("prediction_type") == "epsilon" and hasattr(
        scheduler, "alphas_cumprod"
    ):
        kept = scheduler.alphas_cumprod[int(time)]
        clean = (sample - (1 - kept) ** 0.5 * output) / kept**0.5
    else:
        clean = taken[0]
    return clean


def _keeps(config: Any) -> bool:
    """Whether what a scheduler remembers of its steps are guesses."""
    kind = str(config.get("algorithm_type", ""))
    return kind.endswith("dpmsolver++") or bool(config.get("predict_x0"))
