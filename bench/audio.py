"""Transcription and speech through the platform, compared with the bare libraries.

The libraries are faster-whisper and kokoro-onnx, called in a plain loop with the engines' number of
threads. Rounds alternate between the two; the result is the median of the paired ratios.
"""

import http.client
import io
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import msgspec
import numpy as np
from faster_whisper import WhisperModel
from kokoro_onnx import Kokoro

from bench import engines, libraries, machine
from bench.calls import Caller, Refused
from bench.installation import Installation, installation
from bench.pairs import measured
from bench.processes import resident_mb
from oxlo import catalogue
from oxlo.engines.audio.encoder import FORMATS, Encoder
from oxlo.engines.base import EngineSpec, Launch
from oxlo.engines.kinds import kind
from oxlo.engines.sessions import session
from oxlo.fleet.registry import Replica
from oxlo.hardware import machine as host
from oxlo.hardware.sizing import Machine
from oxlo.settings import Settings

TRANSCRIPTION_MODEL, SPEECH_MODEL = "whisper-base", "kokoro-82m"
VOICE = "af_heart"
RATE = 24_000
TEXT = (
    "The harbour was quiet in the early morning. A single boat came in with the tide, and the men "
    "on board sang softly, as they always did. Nobody on the quay looked up. The baker opened his "
    "shop, put out the first loaves, and waited for the children who came by on their way to "
    "school. By eight o'clock the square was full of voices, and the day had begun like any other."
)
LEAST = 0.97


class Result(msgspec.Struct, frozen=True):
    """One comparison, by round; `least` is the target ratio of the platform to the library."""

    about: str
    unit: str
    theirs: list[float]
    ours: list[float]
    least: float | None = None

    @property
    def ratio(self) -> float:
        return median(mine / other for mine, other in zip(self.ours, self.theirs, strict=True))

    @property
    def missed(self) -> bool:
        return self.least is not None and self.ratio < self.least


@dataclass(frozen=True)
class SpeechTimes:
    """Seconds until the first and the last audio, and the length of the audio."""

    first: float
    whole: float
    seconds: float


class TranscriptionBaseline:
    """Baseline: plain use of the transcription library."""

    def __init__(self, folder: Path, threads: int) -> None:
        for file in engines.files(TRANSCRIPTION_MODEL):
            (folder / file.name).symlink_to(file)
        self._model = WhisperModel(str(folder), "cpu", compute_type="int8", cpu_threads=threads)

    def transcribe(self, recording: bytes) -> None:
        segments, _ = self._model.transcribe(io.BytesIO(recording), language="en")
        assert "".join(segment.text for segment in segments)


class SpeechBaseline:
    """Baseline: plain use of the speech library; the MP3 is encoded at the end."""

    def __init__(self, folder: Path, threads: int) -> None:
        model, voices = engines.files(SPEECH_MODEL)
        np.savez(folder / "none.npz")
        self._kokoro = Kokoro.from_session(session(model, threads, "cpu"), str(folder / "none.npz"))
        index = [voice.id for voice in catalogue.load().resolve(SPEECH_MODEL).voices].index(VOICE)
        self._voice = np.fromfile(voices, "<f4").reshape(-1, 510, 1, 256)[index]

    def synthesize(self) -> tuple[SpeechTimes, bytes]:
        began = time.perf_counter()
        samples, _ = self._kokoro.create(TEXT, self._voice)
        encoder = Encoder(FORMATS["mp3"], RATE)
        data = encoder.add(samples.astype(np.float32)) + encoder.finish()
        took = time.perf_counter() - began
        return SpeechTimes(took, took, len(samples) / RATE), data


class Platform:
    """The same requests through the platform."""

    def __init__(self, ours: Installation) -> None:
        self._ours = ours

    @contextmanager
    def transcriber(self, recording: bytes) -> Iterator[Callable[[], bytes]]:
        """Yield a function that transcribes a recording over a keep-alive connection."""
        form, path = "multipart/form-data; boundary=b", "/v1/audio/transcriptions"
        body = _form(recording)
        with Caller(self._ours.port, self._ours.key, path, form) as caller:
            yield lambda: caller.call(body)

    def synthesize(self) -> SpeechTimes:
        body = {"model": SPEECH_MODEL, "input": TEXT, "voice": VOICE, "response_format": "pcm"}
        headers = {"Authorization": f"Bearer {self._ours.key}", "Content-Type": "application/json"}
        connection = http.client.HTTPConnection("127.0.0.1", self._ours.port)
        began = time.perf_counter()
        connection.request("POST", "/v1/audio/speech", msgspec.json.encode(body), headers)
        reply = connection.getresponse()
        if reply.status != 200:
            raise Refused(reply.read(500).decode(errors="replace"))
        data = reply.read1()
        first = time.perf_counter() - began
        data += reply.read()
        connection.close()
        return SpeechTimes(first, time.perf_counter() - began, len(data) / 2 / RATE)


def _form(recording: bytes) -> bytes:
    field = b'--b\r\ncontent-disposition: form-data; name="%b"%b\r\n\r\n%b\r\n'
    parts = (
        field % (b"model", b"", TRANSCRIPTION_MODEL.encode()),
        field % (b"language", b"", b"en"),
        field % (b"file", b'; filename="a.mp3"', recording),
    )
    return b"".join(parts) + b"--b--\r\n"


def main(arguments: list[str]) -> int:
    """Measure, print and save the results; return 1 if a target was missed."""
    return libraries.run("audio", arguments, _measure, _show, rounds=7)


async def _measure(rounds: int, threads: int) -> tuple[list[Result], dict[str, float]]:
    """Return all rows, and the engines' memory afterwards in MB."""
    with tempfile.TemporaryDirectory(prefix="oxlo-bench-") as name:
        home, folder = Path(name) / "oxlo", Path(name) / "library"
        home.mkdir()
        folder.mkdir()
        transcriber, speaker = (
            TranscriptionBaseline(folder, threads),
            SpeechBaseline(folder, threads),
        )
        async with _engines(Path(name), threads) as (replicas, pids):
            with installation(home, (), replicas, pinned=False, media=True) as ours:
                platform = Platform(ours)
                results = [*_speech(platform, speaker, rounds)]
                results.append(_transcription(platform, transcriber, *speaker.synthesize(), rounds))
            return results, {model: resident_mb(pid) for model, pid in pids.items()}


@asynccontextmanager
async def _engines(
    folder: Path, threads: int
) -> AsyncIterator[tuple[list[Replica], dict[str, int]]]:
    async with AsyncExitStack() as stack:
        started = {
            model: await stack.enter_async_context(engines.started(_launch(model, threads), folder))
            for model in (TRANSCRIPTION_MODEL, SPEECH_MODEL)
        }
        yield [replica for replica, _ in started.values()], {m: p for m, (_, p) in started.items()}


def _launch(name: str, threads: int) -> Launch:
    model = catalogue.load().resolve(name)
    variant = next(v for v in model.variants if v.hardware == "cpu")
    variant = msgspec.structs.replace(variant, args={**variant.args, "threads": threads})
    part = Machine(threads, host.here().memory_mb)
    return kind(variant.engine).launch(
        EngineSpec(model, variant, Settings(), engines.files(name), part)
    )


def _speech(platform: Platform, speaker: SpeechBaseline, rounds: int) -> Iterator[Result]:
    pairs = measured(
        {"library": lambda: speaker.synthesize()[0], "platform": platform.synthesize}, rounds
    )
    theirs, ours = ([pair[way] for pair in pairs] for way in ("library", "platform"))
    yield Result(
        f"speech, {ours[0].seconds:.0f} s of it",
        "x real time",
        [times.seconds / times.whole for times in theirs],
        [times.seconds / times.whole for times in ours],
        LEAST,
    )
    yield Result(
        "speech, first audio after",
        "s",
        [times.first for times in theirs],
        [times.first for times in ours],
    )


def _transcription(
    platform: Platform,
    transcriber: TranscriptionBaseline,
    times: SpeechTimes,
    recording: bytes,
    rounds: int,
) -> Result:
    with platform.transcriber(recording) as transcribe:
        ways = {
            "library": lambda: _timed(lambda: transcriber.transcribe(recording)),
            "platform": lambda: _timed(transcribe),
        }
        pairs = measured(ways, rounds)
    return Result(
        f"transcription, {times.seconds:.0f} s of it",
        "x real time",
        [times.seconds / pair["library"] for pair in pairs],
        [times.seconds / pair["platform"] for pair in pairs],
        LEAST,
    )


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _show(results: list[Result], memory: dict[str, float], threads: int) -> int:
    print(f"{f'{threads} threads':30} {'unit':>12} {'library':>8} {'platform':>9} {'ratio':>6}")
    for result in results:
        theirs, ours = median(result.theirs), median(result.ours)
        line = f"{result.about:30} {result.unit:>12} {theirs:8.2f} {ours:9.2f} {result.ratio:6.3f}"
        if result.least is not None:
            line += f"  at least {result.least:g}: {'MISSED' if result.missed else 'met'}"
        print(line)
    for model, taken in memory.items():
        print(f"{model}'s engine: {taken:.0f} MB")
    kept = machine.save("audio", {"rows": results, "memory_mb": memory, "threads": threads})
    print(f"kept in {kept}")
    return 1 if any(result.missed for result in results) else 0
