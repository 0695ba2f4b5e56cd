"""Premium at a real llama.cpp engine: alone, during a flood, and first come, first served."""

import asyncio
import tempfile
import time
from pathlib import Path
from statistics import mean

from bench import engines
from bench.fairness.crowds import PLANS, Crowd, Place, tell
from bench.installation import Installation, installation
from oxlo.engines.llamacpp import LlamaCpp
from oxlo.hardware import machine as host
from oxlo.settings import Settings

MODEL = "smollm2-135m"
SLOTS = 2
#: Short requests, so that there are hundreds: words per prompt, tokens per response.
WORDS, ANSWER = 8, 4
#: Minimum number of Premium requests per crowd.
LEAST = 60
#: Best-effort requests queued at any time.
FLOOD = 60


async def measure(seconds: float) -> bool:
    """Measure Premium at half of the engine's capacity; each crowd runs for `seconds`."""
    with tempfile.TemporaryDirectory(prefix="oxlo-bench-") as folder:
        home = Path(folder) / "oxlo"
        home.mkdir()
        settings = Settings(home=Path(folder), llamacpp_slots=SLOTS, llamacpp_context=512)
        launch = LlamaCpp().launch(engines.spec(MODEL, host.here(), settings))
        async with engines.started(launch, Path(folder)) as (replica, _):
            with installation(home, (), [replica], pinned=False, plans=PLANS) as ours:
                return await _flooded(ours, seconds)


async def _flooded(ours: Installation, seconds: float) -> bool:
    top, low = ours.new_key("premium", "top"), ours.new_key("flood", "low")
    crowds: dict[str, Crowd] = {}

    async def crowd(name: str, rate: float, flood: int, key: str) -> None:
        place = Place(ours, MODEL, max(seconds, LEAST / rate), ANSWER)
        flooding = asyncio.create_task(place.at_once("flood", key, flood, WORDS))
        await place.at_rate("premium", top, rate, WORDS)
        flooding.cancel()  # requests still in the queue are not counted
        await asyncio.wait([flooding])
        crowds[name] = place.crowd

    full = await _full(ours, low, seconds / 3)
    await crowd("alone", full / 2, 0, low)
    await crowd("flooded", full / 2, FLOOD, low)
    await crowd("flooded-fcfs", full / 2, FLOOD, top)
    return _show(crowds, full)


async def _full(ours: Installation, key: str, seconds: float) -> float:
    """Measure the requests per second of the saturated engine."""
    began = time.monotonic()
    place = Place(ours, MODEL, seconds, ANSWER)
    await place.at_once("flood", key, 2 * SLOTS, WORDS)
    return place.crowd.answered / (time.monotonic() - began)


def _show(crowds: dict[str, Crowd], full: float) -> bool:
    once = SLOTS / full
    print(f"\n{MODEL} on llama.cpp, {SLOTS} slots: {full:.1f} calls/s, {once:.2f} s each when full")
    head = f"{'wait of Premium at half of that, seconds':52} {'p95':>7} {'longest':>8} {'mean':>7}"
    print(f"{head} {'calls':>6}")
    for what, name in (
        ("  alone", "alone"),
        (f"  beside {FLOOD} best-effort calls", "flooded"),
        ("  the same, first come first served", "flooded-fcfs"),
    ):
        crowd = crowds[name]
        waits = [wait for _, wait in crowd.waits["premium"]]
        print(
            f"{what:52} {crowd.p95('premium'):7.2f} {max(waits):8.2f} {mean(waits):7.2f}"
            f" {len(waits):6}"
        )
    alone, flooded = crowds["alone"], crowds["flooded"]
    met = flooded.p95("premium") <= alone.p95("premium") + once
    targets = {f"Premium waits at most one call longer ({once:.2f} s)": met}
    return tell("fairness-real", targets, crowds)
