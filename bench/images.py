"""Images through the platform, compared with the bare library.

The bare library is a diffusers pipeline in a plain loop, with the engine's number of threads and
PNG output. Rounds alternate between the two; the result is the median of the paired ratios. The
engine processes as many requests concurrently as the model file allows.
"""

import argparse
import asyncio
import io
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from bench import engines, machine
from bench.calls import Caller, Refused, seconds
from bench.installation import Installation, installation
from bench.processes import Failed, resident_mb
from oxlo.engines.base import CannotLaunch, Launch
from oxlo.engines.diffusion.config import Config
from oxlo.engines.diffusion.kind import Diffusers
from oxlo.fleet.registry import Replica
from oxlo.hardware import machine as host

MODEL = "tiny-scenes"
PATH = "/v1/images/generations"
PROMPT = "a large red circle in the centre on a white background"
LEAST = 0.97


@dataclass(frozen=True)
class Row:
    """One comparison."""

    about: str
    callers: int
    #: Images per request, and requests per round.
    count: int
    calls: int
    response_format: str | None


ROWS = (
    Row("one image, base64", 1, 1, 6, "b64_json"),
    Row("one image, a link", 1, 1, 6, "url"),
    Row("four images, both", 1, 4, 2, None),
    Row("4 callers, one image", 4, 1, 12, "b64_json"),
)


class Result(msgspec.Struct, frozen=True):
    """Images per second, by round."""

    about: str
    library: list[float]
    platform: list[float]

    @property
    def ratio(self) -> float:
        pairs = zip(self.platform, self.library, strict=True)
        return median(ours / theirs for ours, theirs in pairs)


class Library:
    """Baseline: plain use of the library."""

    def __init__(self, config: Config) -> None:
        os.putenv("OMP_WAIT_POLICY", "PASSIVE")  # as in the engine; read when torch is loaded
        warnings.simplefilter("ignore")
        import diffusers
        import torch
        import transformers

        for library in (diffusers, transformers):  # as in the engine
            library.logging.set_verbosity_error()
            library.logging.disable_progress_bar()
        torch.set_num_threads(config.threads)
        self._seeded: Callable[[int], Any] = lambda seed: torch.Generator().manual_seed(seed)
        self._config = config
        self._pipeline = diffusers.DiffusionPipeline.from_pretrained(
            config.folder, dtype=torch.float32, use_safetensors=True, local_files_only=True
        )
        self._pipeline.set_progress_bar_config(disable=True)

    def seconds(self, row: Row) -> float:
        """Measure the seconds of a round's requests, one after the other."""
        began = time.perf_counter()
        for _ in range(row.calls):
            self.files(row.count)
        return time.perf_counter() - began

    def files(self, count: int) -> list[bytes]:
        """Generate one request's images, as PNG."""
        images = self._pipeline(
            PROMPT,
            num_inference_steps=self._config.steps,
            guidance_scale=self._config.guidance,
            num_images_per_prompt=count,
            generator=[self._seeded(number) for number in range(count)],
        ).images
        return [_png(image) for image in images]


def _png(image: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def main(arguments: list[str]) -> int:
    """Measure, print and save the results; return 1 if a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench images", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="of each row, both ways")
    options = parser.parse_args(arguments)
    try:
        results, memory = asyncio.run(_measure(options.rounds))
    except (Failed, Refused, CannotLaunch) as error:
        print(error, file=sys.stderr)
        return 1
    return _show(results, memory)


async def _measure(rounds: int) -> tuple[list[Result], float]:
    """Return all rows, and the engine's memory afterwards in MB."""
    launch = _launch()
    library = Library(msgspec.json.decode(launch.config, type=Config))
    with tempfile.TemporaryDirectory(prefix="oxlo-bench-") as name:
        async with engines.started(launch, Path(name)) as (replica, pid):
            return _rows(Path(name) / "oxlo", replica, library, rounds), resident_mb(pid)


def _launch() -> Launch:
    return Diffusers().launch(engines.spec(MODEL, host.here()))


def _rows(home: Path, replica: Replica, library: Library, rounds: int) -> list[Result]:
    home.mkdir()
    with installation(home, (), [replica], pinned=False, media=True) as ours:
        return [_row(row, ours, library, rounds) for row in ROWS]


def _row(row: Row, ours: Installation, library: Library, rounds: int) -> Result:
    fields = {"model": MODEL, "prompt": PROMPT, "n": row.count, "seed": 0}
    wish = {"response_format": row.response_format} if row.response_format else {}
    bodies = [msgspec.json.encode(fields | wish)] * row.calls
    with ExitStack() as stack:
        callers = [
            stack.enter_context(Caller(ours.port, ours.key, PATH)) for _ in range(row.callers)
        ]
        ways: tuple[Callable[[], float], ...] = (
            lambda: library.seconds(row),
            lambda: seconds(callers, bodies),
        )
        for way in ways:
            way()  # warm-up
        pairs = [_pair(ways, number) for number in range(rounds)]
    images = row.count * row.calls
    return Result(row.about, *([images / pair[way] for pair in pairs] for way in (0, 1)))


def _pair(ways: tuple[Callable[[], float], ...], number: int) -> tuple[float, float]:
    """Measure both ways, in alternating order."""
    if number % 2:
        return ways[0](), ways[1]()
    second, first = ways[1](), ways[0]()
    return first, second


def _show(results: list[Result], memory: float) -> int:
    print(f"{'images/s, 64 x 64, 16 steps':28} {'library':>8} {'platform':>9} {'ratio':>6}")
    for result in results:
        theirs, ours = median(result.library), median(result.platform)
        met = "met" if result.ratio >= LEAST else "MISSED"
        print(
            f"{result.about:28} {theirs:8.2f} {ours:9.2f} {result.ratio:6.3f}"
            f"  at least {LEAST:g}: {met}"
        )
    print(f"the engine's memory: {memory:.0f} MB")
    print(f"kept in {machine.save('images', {'rows': results, 'memory_mb': memory})}")
    return 0 if all(result.ratio >= LEAST for result in results) else 1
