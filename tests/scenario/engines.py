"""Engines of ours under the same tests: how each is started, and what it is asked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import fetched

from oxlo import catalogue
from oxlo.engines.base import Launch
from oxlo.engines.kinds import kind
from oxlo.fleet.sizing import Machine
from oxlo.settings import Settings


@dataclass(frozen=True)
class Asked:
    """One request to an engine, and what its reply has to hold."""

    path: str
    body: object
    holds: bytes = b""


@dataclass(frozen=True)
class Subject:
    """One engine."""

    model: str
    #: Answered in a moment.
    short: Asked
    #: Takes so many steps at least (`Job.step`, `Workers.moved`), more than a test waits for.
    long: Asked
    steps: int
    weights: Callable[[str], Sequence[Path]] = fetched

    def launch(self, home: Path) -> Launch:
        """As the fleet decides it, on a small machine."""
        model = catalogue.load().resolve(self.model)
        variant = next(v for v in model.variants if v.hardware == "cpu")
        settings, files = Settings(home=home), self.weights(self.model)
        return kind(variant.engine).launch(model, variant, settings, files, Machine(1, 4000))


SUBJECTS = (
    Subject(
        "minilm-l6",
        short=Asked("/v1/embeddings", {"model": "m", "input": "Hi."}, b'"embedding":['),
        long=Asked("/v1/embeddings", {"model": "m", "input": ["word " * 200] * 2048}),
        steps=1024,
    ),
)
