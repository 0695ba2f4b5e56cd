"""Premium and a flood at two gateways that share an engine and its queue in Valkey."""

import asyncio

from bench.fairness.crowds import Crowd, Place, tell
from bench.fairness.doubles import FLOOD, SLOTS, platform, service
from bench.installation import Installation

GATEWAYS = 2
CROWDS = ("alone", "flooded", "flooded-fcfs")


async def measure(seconds: float) -> bool:
    """Measure three concurrent crowds; the kernel assigns each connection to a gateway."""
    async with platform(CROWDS, workers=GATEWAYS, valkey=True) as (ours, doubles):
        crowds = await _crowded(ours, seconds)
        peaks = [each.peak for each in doubles]
    return _show(crowds, peaks, seconds)


async def _crowded(ours: Installation, seconds: float) -> dict[str, Crowd]:
    top, low = ours.new_key("premium", "top"), ours.new_key("flood", "low")
    half = 0.5 * SLOTS / service()
    places = {name: Place(ours, name, seconds) for name in CROWDS}
    await asyncio.gather(
        *(place.at_rate("premium", top, half) for place in places.values()),
        places["flooded"].at_once("flood", low, FLOOD),
        places["flooded-fcfs"].at_once("flood", top, FLOOD),
    )
    return {name: place.crowd for name, place in places.items()}


def _show(crowds: dict[str, Crowd], peaks: list[int], seconds: float) -> bool:
    print(f"\n{GATEWAYS} gateways with Valkey before one engine of {SLOTS} slots; {seconds:g} s\n")
    print(f"{'wait of Premium at 50 % of capacity, seconds':52} {'p95':>7} {'longest':>8}")
    for what, name in (
        ("  alone", "alone"),
        (f"  beside {FLOOD} best-effort calls", "flooded"),
        ("  the same, first come first served", "flooded-fcfs"),
    ):
        crowd = crowds[name]
        print(f"{what:52} {crowd.p95('premium'):7.2f} {crowd.longest('premium'):8.2f}")
    alone, flooded = crowds["alone"], crowds["flooded"]
    targets = {
        f"priority holds across gateways: at most one call longer ({service():.2f} s)": (
            flooded.p95("premium") <= alone.p95("premium") + service()
        ),
        f"no engine has more than its {SLOTS} calls": max(peaks) <= SLOTS,
    }
    return tell("fairness-shared", targets, crowds)
