"""Gradient descent: two optimizers, a learning rate schedule and averaged weights."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

_WARM_UP = 200


class Descent:
    """Training in a fixed number of steps with warm-up, constant rate and decay to zero."""

    def __init__(
        self,
        weights: Sequence[nn.Parameter],
        tables: Sequence[nn.Parameter],
        *,
        rate: float,
        steps: int,
        report: int,
    ) -> None:
        """Use Muon for matrices, which is more sample-efficient, and AdamW for everything else.

        The mean loss is printed every `report` steps.
        """
        apart = {id(table) for table in tables}
        matrices = [one for one in weights if one.ndim == 2 and id(one) not in apart]
        apart = {id(one) for one in matrices}
        others = [one for one in weights if id(one) not in apart]
        self._optimizers: list[torch.optim.Optimizer] = [
            torch.optim.Muon(matrices, rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(others, rate, (0.9, 0.99), weight_decay=0.01),
        ]
        self._weights = weights
        self._rate = rate
        self._steps = steps
        self._average = Average(weights)
        self._report = report
        self._losses: list[float] = []
        self._began = time.monotonic()

    def step(self, loss: Tensor, step: int) -> None:
        """Take one optimization step; `step` is its index."""
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._weights, 1.0)
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self._rate * pace(step, self._steps)
            optimizer.step()
            optimizer.zero_grad()
        self._average.update(self._weights, step)
        self._note(loss.item(), step)

    def _note(self, loss: float, step: int) -> None:
        self._losses.append(loss)
        if len(self._losses) == self._report:
            passed = time.monotonic() - self._began
            print(f"step {step + 1} loss {np.mean(self._losses):.4f} {passed:.0f} s", flush=True)
            self._losses.clear()

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Replace the weights by their moving average within the context."""
        newest = [weight.detach().clone() for weight in self._weights]
        self._average.put_into(self._weights)
        yield
        with torch.no_grad():
            torch._foreach_copy_(list(self._weights), newest)


def pace(step: int, steps: int) -> float:
    """Return the learning rate factor of a step; it decays to zero over the last 40 %."""
    return min((step + 1) / _WARM_UP, (steps - step) / (0.4 * steps), 1.0)


class Average:
    """An exponential moving average of weights, which performs better than the latest weights."""

    def __init__(self, weights: Iterable[Tensor], decay: float = 0.998) -> None:
        self._decay = decay
        self.values = [weight.detach().clone() for weight in weights]

    @torch.no_grad()
    def update(self, weights: Sequence[Tensor], step: int) -> None:
        """Update the average after a step; early steps decay faster."""
        decay = min(self._decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self.values, list(weights), 1 - decay)

    @torch.no_grad()
    def put_into(self, weights: Sequence[Tensor]) -> None:
        """Copy the average into the weights."""
        torch._foreach_copy_(list(weights), self.values)
