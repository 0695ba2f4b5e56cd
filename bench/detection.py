"""Detection through the platform, compared with the bare library.

The bare library is Pillow, onnxruntime and numpy in a plain loop, with the engine's threads and
session options. The platform has two concurrent clients, so that one image is decoded during the
inference of another. Rounds alternate; the result is the median of the paired ratios.
"""

import base64
import io
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import msgspec
import numpy as np
from PIL import Image

from bench import engines, libraries, machine
from bench.calls import Caller, seconds
from bench.installation import installation
from bench.pairs import Round, measured
from bench.processes import resident_mb
from bench.workload import PHOTOGRAPH
from oxlo import weights
from oxlo.engines.base import Launch
from oxlo.engines.detection import boxes, centernet, tfjs
from oxlo.engines.onnx import Onnx
from oxlo.engines.sessions import session
from oxlo.hardware import machine as host
from oxlo.hardware.sizing import Machine

MODEL = "centernet-mobilenetv3"
PATH = "/v1/detect"
SIZE = 512
CALLERS = 2
#: Images per round.
PICTURES = 24
LEAST = 0.97


class Library:
    """Baseline: plain use of the library."""

    def __init__(self, threads: int) -> None:
        graph, packed = engines.files(MODEL)
        model = tfjs.convert(graph, packed, centernet.OUTPUTS)
        self._session = session(model, threads, "cpu")
        self._input = self._session.get_inputs()[0].name

    def find(self, photograph: bytes) -> boxes.Boxes:
        image = Image.open(io.BytesIO(photograph)).convert("RGB")
        scale = SIZE / max(image.size)
        square = Image.new("RGB", (SIZE, SIZE), (114, 114, 114))
        square.paste(image.resize([round(side * scale) for side in image.size]), (0, 0))
        pixels = np.asarray(square, np.float32).transpose(2, 0, 1)[None]
        outputs = self._session.run(None, {self._input: np.ascontiguousarray(pixels)})
        return boxes.suppress(centernet.boxes(outputs, 0.25), 0.45, 100)

    def seconds(self, photograph: bytes) -> float:
        began = time.perf_counter()
        for _ in range(PICTURES):
            self.find(photograph)
        return time.perf_counter() - began


def main(arguments: list[str]) -> int:
    """Measure, print and save the result; return 1 if the target was missed."""
    return libraries.run("detection", arguments, _measure, _show, rounds=9)


async def _measure(rounds: int, threads: int) -> tuple[list[Round], float]:
    """Return the seconds of both ways by round, and the engine's memory in MB."""
    photograph, library = _photograph(), Library(threads)
    with tempfile.TemporaryDirectory(prefix="oxlo-bench-") as name, ExitStack() as stack:
        async with engines.started(_launch(threads), Path(name)) as (replica, pid):
            home = Path(name) / "oxlo"
            home.mkdir()
            ours = stack.enter_context(installation(home, (), [replica], pinned=False, media=True))
            callers = [
                stack.enter_context(Caller(ours.port, ours.key, PATH)) for _ in range(CALLERS)
            ]
            bodies = [_body(photograph)] * PICTURES
            ways = {
                "library": lambda: library.seconds(photograph),
                "platform": lambda: seconds(callers, bodies),
            }
            return measured(ways, rounds), resident_mb(pid)


def _photograph() -> bytes:
    """A JPEG photograph at a camera's usual quality."""
    file = io.BytesIO()
    Image.open(weights.fetch(PHOTOGRAPH, engines.cache())).save(file, "JPEG", quality=90)
    return file.getvalue()


def _body(photograph: bytes) -> bytes:
    return msgspec.json.encode({"model": MODEL, "image": base64.b64encode(photograph).decode()})


def _launch(threads: int) -> Launch:
    return Onnx().launch(engines.spec(MODEL, Machine(threads, host.here().memory_mb)))


def _show(pairs: list[Round], memory: float, threads: int) -> int:
    ratio = median(pair["library"] / pair["platform"] for pair in pairs)
    theirs, ours = (
        median(PICTURES / pair[name] for pair in pairs) for name in ("library", "platform")
    )
    print(f"{f'pictures/s, {threads} threads':32} {'library':>8} {'platform':>8} {'ratio':>6}")
    met = "met" if ratio >= LEAST else "MISSED"
    print(f"{'600 x 400, JPEG':32} {theirs:8.1f} {ours:8.1f} {ratio:6.3f}  at least {LEAST}: {met}")
    print(f"the engine's memory: {memory:.0f} MB")
    result = {"pairs": pairs, "ratio": ratio, "memory_mb": memory, "threads": threads}
    print(f"kept in {machine.save('detection', result)}")
    return 0 if ratio >= LEAST else 1
