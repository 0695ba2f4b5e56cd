"""Tunes the captions' word embeddings: `python -m tiny_sight.tune MODEL FILE`.

The encoder writes captions, which the language model reads as embeddings. These start as the
model's own and are trained on correct answers through the frozen model.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.random import Generator, default_rng
from torch import Tensor
from torch.nn import functional

from tiny_sight import caption, lessons, vectors, views
from tiny_sight.language import Language
from tiny_sight.lessons import Lesson

_BEFORE = (
    "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant."
    "<|im_end|>\n<|im_start|>user\n"
)
_BETWEEN, _AFTER = "<|im_end|>\n<|im_start|>assistant\n", "<|im_end|>"
#: Views per step, and lessons per view.
_VIEWS, _LESSONS = 1, 8
#: Learning rate relative to the embeddings' standard deviation.
_RATE = 0.04
#: Probability that the question precedes the image.
_BEFOREHAND = 0.15
_REPORT = 10


@dataclass(frozen=True, slots=True)
class Sheet:
    """An input sequence: an image and several lessons that do not attend to each other."""

    #: Token ids; -1 - N for entry N of the captions' vocabulary.
    tokens: Tensor
    positions: Tensor
    mask: Tensor
    #: Positions of the predicted answers, and the expected tokens.
    predicted: Tensor
    expected: Tensor
    #: Weights of these tokens; an answer's total grows with the square root of its length.
    weights: Tensor


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="the language model's GGUF file")
    parser.add_argument("file", type=Path, help="where the vectors are written, for numpy")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--go-on", type=Path, help="vectors of an earlier run to begin with")
    parser.add_argument("--both", type=float, default=0.2, help="the share with two pictures")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    first = np.load(chosen.go_on) if chosen.go_on else vectors.of(chosen.model, caption.spelt())
    tuning = Tuning(Language(chosen.model), first, chosen.steps)
    random = default_rng(chosen.seed)
    for step in range(chosen.steps):
        tuning.step(random, chosen.both)
        if (step + 1) % _REPORT == 0 or step + 1 == chosen.steps:
            print(f"step {step + 1} loss {tuning.loss():.3f}", flush=True)
            np.save(chosen.file, tuning.vectors)


class Tuning:
    """The training of the embeddings."""

    def __init__(self, language: Language, first: np.ndarray, steps: int) -> None:
        self._language = language
        self._vectors = torch.tensor(first, requires_grad=True)
        rate = _RATE * float(first.std())
        self._descent = torch.optim.Adam([self._vectors], rate, (0.9, 0.98))
        self._pace = torch.optim.lr_scheduler.OneCycleLR(
            self._descent, rate, total_steps=steps, pct_start=0.1, cycle_momentum=False
        )
        self._losses: list[float] = []

    @property
    def vectors(self) -> np.ndarray:
        """Current embeddings, (words, width)."""
        return self._vectors.detach().numpy()

    def step(self, random: Generator, both: float) -> None:
        """Take one step on new views; `both` is the probability of a second image."""
        for _ in range(_VIEWS):
            view = views.sample(random)
            sampled = sample_sheet(self._language, view, random, both)
            loss = answer_loss(self._language, sampled, self._vectors) / _VIEWS
            loss.backward()  # type: ignore[no-untyped-call]
            self._losses.append(loss.item() * _VIEWS)
        self._descent.step()
        self._descent.zero_grad()
        self._pace.step()

    def loss(self) -> float:
        """Return the mean loss since the last call."""
        mean = float(np.mean(self._losses))
        self._losses.clear()
        return mean


def answer_loss(language: Language, sheet: Sheet, words: Tensor) -> Tensor:
    """Compute the language model's cross-entropy of the correct answers."""
    hidden = language.hidden_states(embedded(language, sheet, words), sheet.positions, sheet.mask)
    logits = language.logits(hidden[sheet.predicted])
    losses = functional.cross_entropy(logits, sheet.expected, reduction="none")
    return (losses * sheet.weights).sum() / sheet.weights.sum()


def embedded(language: Language, sheet: Sheet, words: Tensor) -> Tensor:
    """Look up the embeddings of a sheet's tokens, (T, width)."""
    known = language.embed(sheet.tokens.clamp(min=0).tolist())
    return torch.where(sheet.tokens[:, None] < 0, words[(-1 - sheet.tokens).clamp(min=0)], known)


def sample_sheet(language: Language, view: views.View, random: Generator, both: float) -> Sheet:
    """Build a sheet of a view and lessons; `both` is the probability of a second image."""
    before, picture = language.tokens(_BEFORE), _picture(view)
    order = random.random()
    if order < both:
        other = views.sample(random)
        lesson = lessons.of_both(other, view, random)
        return sheet([*before, *_picture(other), *picture], [_pair(language, lesson)])
    if order < both + _BEFOREHAND:
        (lesson,) = lessons.some(view, 1, random)
        prefix = [*before, *language.tokens(lesson.question), *picture]
        return sheet(prefix, [_pair(language, Lesson("", lesson.answer))])
    some = lessons.some(view, _LESSONS, random)
    return sheet([*before, *picture], [_pair(language, lesson) for lesson in some])


def _picture(view: views.View) -> list[int]:
    return [-1 - number for number in caption.numbers([view])[0].tolist()]


def _pair(language: Language, lesson: Lesson) -> tuple[list[int], list[int]]:
    question = language.tokens(lesson.question + _BETWEEN)
    return question, language.tokens(lesson.answer + _AFTER)


def sheet(start: list[int], pairs: list[tuple[list[int], list[int]]]) -> Sheet:
    """Build a sheet from the shared prefix and pairs of question and answer."""
    tokens, positions, predicted, expected = [*start], [*range(len(start))], [], []
    weights: list[float] = []
    parts = [0] * len(start)
    for number, (question, answer) in enumerate(pairs, 1):
        said = [*question, *answer[:-1]]
        at = len(tokens) + len(question) - 1
        predicted += range(at, at + len(answer))
        expected += answer
        weights += [len(answer) ** -0.5] * len(answer)
        tokens += said
        positions += range(len(start), len(start) + len(said))
        parts += [number] * len(said)
    part = torch.tensor(parts)
    mask = ((part == 0) | (part == part[:, None])).tril()
    return Sheet(
        torch.tensor(tokens),
        torch.tensor(positions),
        mask,
        torch.tensor(predicted),
        torch.tensor(expected),
        torch.tensor(weights),
    )


if __name__ == "__main__":
    main()
