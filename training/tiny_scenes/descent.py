"""How weights follow the gradient of a loss: two optimizers, a pace, and an average on the way."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

_WARM_UP = 200


class Descent:
    """Warm-up, a level stretch, then cooling down to nothing, in so many steps."""

    def __init__(
        self,
        weights: Sequence[nn.Parameter],
        tables: Sequence[nn.Parameter],
        *,
        rate: float,
        steps: int,
        report: int,
    ) -> None:
        """Muon for matrices, which then need fewer samples; AdamW for tables and all else.

        The mean loss is printed each `report` steps.
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
        """Make the loss smaller, as the step of this number."""
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
        """While it is open, the weights are their average; then the newest are back."""
        newest = [weight.detach().clone() for weight in self._weights]
        self._average.put_into(self._weights)
        yield
        with torch.no_grad():
            torch._foreach_copy_(list(self._weights), newest)


def pace(step: int, steps: int) -> float:
    """The share of the full learning rate at this step: the last 40 % falls to nothing."""
    return min((step + 1) / _WARM_UP, (steps - step) / (0.4 * steps), 1.0)


class Average:
    """An exponential moving average of weights: it does better than the newest weights."""

    def __init__(self, weights: Iterable[Tensor], decay: float = 0.998) -> None:
        self._decay = decay
        self.values = [weight.detach().clone() for weight in weights]

    @torch.no_grad()
    def update(self, weights: Sequence[Tensor], step: int) -> None:
        """Take in the weights after this step; the first steps are forgotten faster."""
        decay = min(self._decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self.values, list(weights), 1 - decay)

    @torch.no_grad()
    def put_into(self, weights: Sequence[Tensor]) -> None:
        """Write the averages into the weights."""
        torch._foreach_copy_(list(weights), self.values)
