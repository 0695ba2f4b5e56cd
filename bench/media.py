"""Large uploads beside small chats: how much later do the small ones get their answers?

The way of measuring is that of `bench/beside.py`; beside the chats, chats with a picture of 25 MB
are uploaded without a pause.
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
#: Pixels on a side of a picture of noise that is 25 MB of JSON, in base64.
SIDE = 2495
#: Milliseconds that the slowest small chat may take longer because of the uploads.
MOST_MS = 10.0


def main(arguments: list[str]) -> int:
    """Measure, print and keep the result; 1 when the target was missed."""
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
    """The platform before two engines: a quick one, and one that takes pictures."""
    home, port = folder / "oxlo", free_port()
    home.mkdir()
    command = ("-m", "oxlo.testing.engine", "--port", str(port), "--model", SEER)
    with (
        engine(folder / "engine") as quick,
        # What stands for an engine may not take the CPU from what is measured.
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
    """A chat with a picture of noise, which no coder makes smaller."""
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
