"""Latency of small chats during large uploads.

Measured as in `bench/beside.py`; the other load uploads chats with an image of 25 MB continuously.
"""

import argparse
import base64
import io
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from PIL import Image

from bench import machine
from bench.beside import PATH, SMALL, Round, chat, replica, rounds, show
from bench.calls import Caller, Refused
from bench.installation import Installation, installation
from bench.overhead.engine import engine
from bench.processes import Failed, Process, free_port

SEER = "seer"
#: Side in pixels of an image of noise that takes 25 MB of JSON in base64.
SIDE = 2495
#: Target: maximum milliseconds by which uploads may delay the slowest small chat.
MOST_MS = 10.0


def main(arguments: list[str]) -> int:
    """Measure, print and save the result; return 1 if the target was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench media", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each phase")
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="oxlo-bench-") as name, _ours(Path(name)) as ours:
            measured = _measure(ours, options.rounds, options.seconds)
    except (Failed, Refused) as error:
        print(error, file=sys.stderr)
        return 1
    return _show(measured)


@contextmanager
def _ours(folder: Path) -> Iterator[Installation]:
    """Run the platform with two engines: a fast one, and one for images."""
    home, port = folder / "oxlo", free_port()
    home.mkdir()
    command = ("-m", "oxlo.testing.engine", "--port", str(port), "--model", SEER)
    with (
        engine(folder / "engine") as quick,
        # The fake engine must not take CPU time from the measured process.
        Process(["nice", "-n", "19", sys.executable, *command], folder / "seer.log", None) as seer,
    ):
        quick.process.first()
        seer.wait_for_port(port)
        replicas = [replica(SMALL, quick.address), replica(SEER, f"http://127.0.0.1:{port}")]
        abilities = ("chat", "vision")
        with installation(
            home, (SMALL, SEER), replicas, pinned=False, abilities=abilities, media=True
        ) as ours:
            yield ours


def _measure(ours: Installation, number: int, seconds: float) -> list[Round]:
    upload = _picture()
    print(f"uploads of {len(upload) / 1e6:.1f} MB", flush=True)

    def uploading(answered: Callable[[], bool]) -> None:
        with Caller(ours.port, ours.key, PATH) as caller:
            caller.call(upload)
            while answered():
                caller.call(upload)

    return rounds(ours, uploading, number, seconds)


def _picture() -> bytes:
    """Build a chat with an image of noise, which does not compress."""
    out = io.BytesIO()
    noise = Image.frombytes("RGB", (SIDE, SIDE), os.urandom(SIDE * SIDE * 3))
    noise.save(out, "PNG", compress_level=0)
    uri = "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
    return chat(SEER, [{"type": "image_url", "image_url": {"url": uri}}])


def _show(measured: Sequence[Round]) -> int:
    show(measured, "uploads")
    added = median(one.beside.slowest - one.alone.slowest for one in measured)
    met = added <= MOST_MS
    verdict = "met" if met else "MISSED"
    print(f"added to the slowest: {added:.2f} ms (at most {MOST_MS:g}): {verdict}")
    print(f"kept in {machine.save('media', measured)}")
    return 0 if met else 1
