"""Engines of ours under the same tests: how each is started, and what it is asked."""

import asyncio
import io
import random
import wave
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from tests.conftest import fetched
from tests.waiting import PATIENCE

from oxlo import catalogue
from oxlo.engines.base import EngineSpec, Launch
from oxlo.engines.kinds import kind
from oxlo.engines.probe import PROBES, Progress
from oxlo.fleet.fetch import Content, fetch
from oxlo.fleet.registry import Replica
from oxlo.hardware.sizing import Machine
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
    #: Takes so many steps at least (`Job.step`, `Workers.progressed`), more than a test waits for.
    #: None: no call of it takes long.
    long: Asked | None
    steps: int
    weights: Callable[[str], Sequence[Path]] = fetched

    def launch(self, home: Path) -> Launch:
        """As the fleet decides it, on a small machine."""
        model = catalogue.load().resolve(self.model)
        variant = next(v for v in model.variants if v.hardware == "cpu")
        settings, files = Settings(home=home), self.weights(self.model)
        return kind(variant.engine).launch(
            EngineSpec(model, variant, settings, files, Machine(1, 4000))
        )


async def progress(replica: Replica) -> Progress:
    """The engine's own report, from which the fleet judges its health."""
    probe = PROBES[replica.dialect]
    assert probe.progress
    reply = await fetch(replica.address, probe.path, api_key=replica.api_key, deadline=PATIENCE)
    return probe.progress(reply.body)


async def idle(replica: Replica) -> Progress:
    """The same, once the engine has nothing to do."""
    async with asyncio.timeout(PATIENCE):
        while (now := await progress(replica)).busy:
            await asyncio.sleep(0.02)
    return now


def recording(seconds: int) -> Content:
    """A form with so much quiet noise: in silence, models hear things, at length."""
    made = io.BytesIO()
    with wave.open(made, "wb") as out:
        out.setparams((1, 1, 8000, 8000, "NONE", ""))
        quiet = bytes(116 + value % 25 for value in range(256))
        out.writeframes(random.Random(1).randbytes(8000 * seconds).translate(quiet))
    head = b'--b\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    return Content("multipart/form-data; boundary=b", head + made.getvalue() + b"\r\n--b--\r\n")


def picture() -> Content:
    """A form with a red picture."""
    made = io.BytesIO()
    Image.new("RGB", (640, 480), "red").save(made, "PNG")
    head = b'--b\r\ncontent-disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    return Content("multipart/form-data; boundary=b", head + made.getvalue() + b"\r\n--b--\r\n")


SUBJECTS = (
    Subject(
        "minilm-l6",
        short=Asked("/v1/embeddings", {"model": "m", "input": "Hi."}, b'"embedding":['),
        long=Asked("/v1/embeddings", {"model": "m", "input": ["word " * 200] * 2048}),
        steps=1024,
    ),
    Subject(
        "centernet-mobilenetv3",
        short=Asked("/v1/detect", picture(), b'"detections":['),
        long=None,
        steps=0,
    ),
    Subject(
        "whisper-base",
        short=Asked("/v1/audio/transcriptions", recording(1), b'"text":'),
        long=Asked("/v1/audio/transcriptions", recording(900)),
        steps=30,
    ),
    Subject(
        "kokoro-82m",
        short=Asked("/v1/audio/speech", {"input": "Hi."}, b"ID3"),
        long=Asked("/v1/audio/speech", {"input": "This goes on and on. " * 400}),
        steps=40,
    ),
    Subject(
        "tiny-scenes",
        short=Asked("/v1/images/generations", {"prompt": "a red circle"}, b'"b64_json":"'),
        long=Asked(
            "/v1/images/generations", {"prompt": "a red circle", "num_inference_steps": 500}
        ),
        steps=500,
    ),
)
