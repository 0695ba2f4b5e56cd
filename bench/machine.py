"""Description of the machine, and storage of results."""

import platform
import time
from pathlib import Path

import msgspec

from bench import RESULTS
from bench.processes import CPUS


def about() -> dict[str, str]:
    """Describe this machine."""
    return {
        "cpu": _cpu(),
        "cpus": str(len(CPUS)),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def save(bench: str, result: object) -> Path:
    """Save a result as JSON, named by bench and time."""
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{bench}-{time.strftime('%Y%m%d-%H%M%S')}.json"
    record = {"bench": bench, "machine": about(), "result": result}
    file.write_bytes(msgspec.json.format(msgspec.json.encode(record)))
    return file
