"""Embeddings through the platform compared with the bare library, and with batching disabled.

The bare library is tokenizers and onnxruntime in a plain loop, with the engine's number of threads
and default options: its threads spin, which is fastest for a loop that has the machine to itself.
Rounds alternate; the result is the median of the paired ratios. The platform's round begins once
the library's threads are idle.
"""

import random
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import msgspec
import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from bench import engines, libraries, machine
from bench.calls import Caller, seconds
from bench.installation import Installation, installation
from bench.pairs import measured
from bench.processes import resident_mb
from oxlo import catalogue
from oxlo.engines.base import EngineSpec, Launch
from oxlo.engines.onnx import Onnx
from oxlo.fleet.registry import Replica
from oxlo.hardware import machine as host
from oxlo.hardware.sizing import Machine
from oxlo.settings import Settings

MODEL = "minilm-l6"
#: The same engine with one run per text.
UNBATCHED = "unbatched"
PATH = "/v1/embeddings"
#: Seconds between checks whether this process is idle.
_LOOK = 0.02
WORDS = ("time", "year", "people", "way", "day", "man", "thing", "woman", "life", "child", "world")


@dataclass(frozen=True)
class Row:
    """One comparison."""

    about: str
    callers: int
    #: Texts per request, requests per round, words per text (from, to).
    batch: int
    calls: int
    words: tuple[int, int]
    #: The baseline, and the target share of its throughput.
    peer: str
    least: float


ROWS = (
    Row("batch 32, 20 to 60 words", 1, 32, 4, (20, 60), "library", 0.97),
    Row("batch 1, 100 to 180 words", 1, 1, 30, (100, 180), "library", 0.90),
    Row("batch 1, 20 to 60 words", 1, 1, 60, (20, 60), "library", 0.90),
    Row("batch 1, 1 to 10 words", 1, 1, 90, (1, 10), "library", 0.90),
    Row("16 callers, 1 to 10 words", 16, 1, 320, (1, 10), UNBATCHED, 1.5),
    Row("16 callers, 100 to 180 words", 16, 1, 48, (100, 180), UNBATCHED, 0.95),
)


class Result(msgspec.Struct, frozen=True):
    """Texts per second, by round."""

    about: str
    peer: str
    least: float
    theirs: list[float]
    ours: list[float]

    @property
    def ratio(self) -> float:
        return median(mine / other for mine, other in zip(self.ours, self.theirs, strict=True))

    @property
    def met(self) -> bool:
        return self.ratio >= self.least


class Library:
    """Baseline: plain use of the library."""

    def __init__(self, threads: int) -> None:
        model, tokenizer, *_ = engines.files(MODEL)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_truncation()
        self._tokenizer.enable_padding()

    def seconds(self, batches: Sequence[Sequence[str]]) -> float:
        """Measure the seconds that all batches take, one after the other."""
        began = time.perf_counter()
        for texts in batches:
            self.vectors(texts)
        took = time.perf_counter() - began
        _come_to_rest()
        return took

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        encoded = self._tokenizer.encode_batch(list(texts))
        ids = np.array([one.ids for one in encoded], np.int64)
        mask = np.array([one.attention_mask for one in encoded], np.int64)
        fed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        (hidden,) = self._session.run(None, fed)
        pooled = (hidden * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
        unit: np.ndarray = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
        return unit


def _come_to_rest() -> None:
    """Wait until onnxruntime's threads stop spinning, 30 ms of CPU time after their last run."""
    spent = _LOOK
    while spent > _LOOK / 10:
        began = time.process_time()
        time.sleep(_LOOK)
        spent = time.process_time() - began


def main(arguments: list[str]) -> int:
    """Measure, print and save the results; return 1 if a target was missed."""
    return libraries.run("embeddings", arguments, _measure, _show, rounds=9)


async def _measure(rounds: int, threads: int) -> tuple[list[Result], float]:
    """Return all rows, and the engine's memory afterwards in MB."""
    library = Library(threads)
    with tempfile.TemporaryDirectory(prefix="oxlo-bench-") as name:
        async with _engines(Path(name), threads) as (replicas, pid):
            home = Path(name) / "oxlo"
            home.mkdir()
            with installation(
                home, [UNBATCHED], replicas, pinned=False, abilities=("embeddings",)
            ) as ours:
                results = [_row(row, ours, library, rounds) for row in ROWS]
                return results, resident_mb(pid)


@asynccontextmanager
async def _engines(folder: Path, threads: int) -> AsyncIterator[tuple[list[Replica], int]]:
    """Start the engine with and without batching; yield them and the first one's pid."""
    async with AsyncExitStack() as stack:
        launches = _launch(threads, {}), _launch(threads, {"batch_tokens": 1}, UNBATCHED)
        started = [
            await stack.enter_async_context(engines.started(one, folder)) for one in launches
        ]
        yield [replica for replica, _ in started], started[0][1]


def _launch(threads: int, args: dict[str, object], name: str = MODEL) -> Launch:
    model = catalogue.load().resolve(MODEL)
    variant = model.variants[0]
    variant = msgspec.structs.replace(variant, args={**variant.args, **args})
    model = msgspec.structs.replace(model, id=name)
    part = Machine(threads, host.here().memory_mb)
    return Onnx().launch(EngineSpec(model, variant, Settings(), engines.files(MODEL), part))


def _row(row: Row, ours: Installation, library: Library, rounds: int) -> Result:
    texts = [_text(row.words, random.Random(number)) for number in range(row.batch * row.calls)]
    batches = [texts[at : at + row.batch] for at in range(0, len(texts), row.batch)]
    with ExitStack() as stack:
        callers = [
            stack.enter_context(Caller(ours.port, ours.key, PATH)) for _ in range(row.callers)
        ]
        ways = {
            row.peer: _library(library, batches)
            if row.peer == "library"
            else _calls(callers, batches, row.peer),
            MODEL: _calls(callers, batches, MODEL),
        }
        pairs = measured(ways, rounds)
    rates = {name: [len(texts) / pair[name] for pair in pairs] for name in ways}
    return Result(row.about, row.peer, row.least, rates[row.peer], rates[MODEL])


def _library(library: Library, batches: list[list[str]]) -> Callable[[], float]:
    return lambda: library.seconds(batches)


def _calls(callers: list[Caller], batches: list[list[str]], model: str) -> Callable[[], float]:
    """Build requests as the SDKs do, with vectors in base64."""
    bodies = [
        msgspec.json.encode({"model": model, "input": texts, "encoding_format": "base64"})
        for texts in batches
    ]
    return lambda: seconds(callers, bodies)


def _text(words: tuple[int, int], chance: random.Random) -> str:
    return " ".join(chance.choices(WORDS, k=chance.randint(*words)))


def _show(results: list[Result], memory: float, threads: int) -> int:
    print(
        f"{f'texts/s, {threads} threads':32} {'peer':>10} {'peer':>8} {'platform':>8} {'ratio':>6}"
    )
    for result in results:
        theirs, ours = median(result.theirs), median(result.ours)
        print(
            f"{result.about:32} {result.peer:>10} {theirs:8.1f} {ours:8.1f} {result.ratio:6.3f}"
            f"  at least {result.least:g}: {'met' if result.met else 'MISSED'}"
        )
    print(f"the engine's memory: {memory:.0f} MB")
    file = machine.save("embeddings", {"rows": results, "memory_mb": memory, "threads": threads})
    print(f"kept in {file}")
    return 0 if all(result.met for result in results) else 1
