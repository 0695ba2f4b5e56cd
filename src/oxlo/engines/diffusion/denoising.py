"""The scheduler's prediction of the clean image (x0), recorded at every step."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from diffusers import FlowMatchEulerDiscreteScheduler
from torch import Tensor


class Prediction:
    """The latest prediction."""

    def __init__(self) -> None:
        self._clean: Tensor | None = None

    def update(self, clean: Tensor) -> None:
        """Record the prediction of the step just taken."""
        self._clean = clean

    @property
    def latents(self) -> Tensor:
        """The predicted latents, in the pipeline's own layout."""
        assert self._clean is not None
        return self._clean


@contextmanager
def predicting(scheduler: Any) -> Iterator[Prediction]:
    """Record the prediction of each step of `scheduler`, which nothing else may use meanwhile."""
    take, prediction = scheduler.step, Prediction()

    @wraps(take)  # pipelines inspect its signature to decide which arguments to pass
    def step(output: Tensor, time: Any, sample: Tensor, *args: Any, **more: Any) -> Any:
        taken = take(output, time, sample, *args, **more)
        prediction.update(_clean(scheduler, taken, output, time, sample))
        return taken

    scheduler.step = step
    try:
        yield prediction
    finally:
        del scheduler.step  # uncovers the class's own method


def _clean(scheduler: Any, taken: Any, output: Tensor, time: Any, sample: Tensor) -> Tensor:
    """Predicted x0 where this kind of scheduler reveals it; otherwise the noisy latents."""
    if len(taken) > 1:
        clean: Tensor = taken[1]
    elif _stores_x0(scheduler.config):
        clean = scheduler.model_outputs[-1]
    elif isinstance(scheduler, FlowMatchEulerDiscreteScheduler):
        clean = sample - scheduler.sigmas[scheduler.step_index - 1] * output
    elif scheduler.config.get("prediction_type") == "epsilon" and hasattr(
        scheduler, "alphas_cumprod"
    ):
        alpha = scheduler.alphas_cumprod[int(time)]
        clean = (sample - (1 - alpha) ** 0.5 * output) / alpha**0.5
    else:
        clean = taken[0]
    return clean


def _stores_x0(config: Any) -> bool:
    """Whether the scheduler's `model_outputs` are predictions of x0."""
    kind = str(config.get("algorithm_type", ""))
    return kind.endswith("dpmsolver++") or bool(config.get("predict_x0"))
