"""The checks of `oxlo doctor` on this machine: what it is, and what there is room for."""

import resource
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from oxlo.cli.finding import Finding, wrong
from oxlo.cli.libraries import LIBRARIES, Library
from oxlo.fleet.assign import Engine, kind_of
from oxlo.fleet.registry import Replica, ReplicaState
from oxlo.hardware.sizing import Machine
from oxlo.weights import Stock

OLDEST_PYTHON = (3, 11)
#: Room for journals, logs and the database, beside the weights.
ROOM_MB = 500
#: What the platform itself takes beside its engines, as measured, with some air.
OWN_MEMORY_MB = 400
#: Each call under way takes two files: the client's connection and the engine's.
FILES_WANTED, FILES_NEEDED = 4096, 256
#: 2025-01-01: an earlier clock was never set.
EARLIEST = 1735689600.0
#: Seconds by which clocks and file systems may disagree.
_DRIFT = 60.0


def python(version: tuple[int, ...]) -> Finding:
    """The interpreter's version."""
    text, oldest = (".".join(map(str, numbers)) for numbers in (version, OLDEST_PYTHON))
    if version < OLDEST_PYTHON:
        return wrong("python", f"{text} is too old: install {oldest} or newer")
    return Finding("python", text)


def existing(path: Path) -> Path:
    """The path, or its nearest parent that exists."""
    return next(folder for folder in (path, *path.absolute().parents) if folder.exists())


def home(path: Path) -> Finding:
    """Whether the data folder can be written, or made."""
    try:
        with tempfile.TemporaryFile(dir=existing(path)):
            made = "" if path.exists() else " (made at the first start)"
            return Finding("home", f"{path}{made}")
    except OSError as error:
        return wrong("home", f"{path} cannot be written ({error.strerror}): set OXLO_HOME")


def free_mb(path: Path) -> int:
    """Free disk where the data folder is, or will be."""
    return shutil.disk_usage(existing(path)).free // 2**20


def missing_mb(engines: Iterable[Engine], stock: Stock) -> int:
    """Disk that fetching the weights takes: archives stay until the file is taken out of them.

    Repositories that nobody has asked a hub about count as nothing.
    """
    files = {
        file.sha256: file
        for engine in engines
        if engine.variant
        for file in stock.known(engine.model, engine.variant)
    }
    absent = [file for file in files.values() if not stock.present(file)]
    return sum(2 * file.size for file in absent) // 2**20


def disk(missing: int, free: int) -> Finding:
    """Room for the weights still to be fetched, in MB, and for what running writes."""
    needed = missing + ROOM_MB
    if free < needed:
        return wrong("disk", f"{free:,} MB free, {needed:,} MB needed: free some, or set OXLO_HOME")
    return Finding("disk", f"{free:,} MB free; weights still to fetch take {missing:,} MB")


def placed(engines: Iterable[Engine]) -> Iterator[Finding]:
    """Models that are to be served and cannot be, with what they miss; and those on GPUs."""
    for engine in engines:
        if engine.variant is None:
            yield Finding(engine.model.id, engine.reason, ok=False)
        elif engine.gpus:
            numbers = ", ".join(str(gpu.index) for gpu in engine.gpus)
            yield Finding(engine.model.id, f"{engine.variant.engine} on GPU {numbers}")


def running(replicas: Sequence[Replica], now: float) -> Iterator[Finding]:
    """How the engines of a fleet that runs are: those that do not take calls, and why not."""
    ready = sum(replica.state is ReplicaState.READY for replica in replicas)
    yield Finding("engines", f"{ready} of {len(replicas)} ready", ok=ready == len(replicas))
    for replica in replicas:
        if replica.state is not ReplicaState.READY:
            seconds = max(0.0, now - replica.since)
            starts = f", start {replica.generation}" if replica.generation > 1 else ""
            words = f"{replica.state} for {seconds:.0f} s{starts}: {replica.reason}"
            yield Finding(replica.id, words, ok=False)


def gpus(here: Machine, *, driver: bool) -> Finding:
    """The GPUs that this process may use; whether there is a `driver` is told by its program."""
    if not here.gpus:
        why = "nvidia-smi shows none" if driver else "none: nvidia-smi is not installed"
        return Finding("GPUs", f"{why}; models run on the CPU where they can")
    cards = [
        f"{gpu.index} {gpu.name} {gpu.memory_mb:,} MiB ({kind_of(gpu) or 'too small'})"
        for gpu in here.gpus
    ]
    return Finding("GPUs", ", ".join(cards))


def memory(models: int, here: int) -> Finding:
    """Memory of the machine or the container, beside what models take; all in MB."""
    needed = models + OWN_MEMORY_MB
    if here < needed:
        advice = "serve fewer models (OXLO_STARTER, OXLO_MODELS), or raise the limit"
        return Finding("memory", f"{here:,} MB here, {needed:,} MB needed: {advice}", ok=False)
    return Finding("memory", f"{here:,} MB here, {needed:,} MB needed")


def libraries(engines: Iterable[Engine]) -> list[Library]:
    """What these engines stand on, each once."""
    kinds = dict.fromkeys(engine.variant.engine for engine in engines if engine.variant)
    return [LIBRARIES[kind] for kind in kinds if kind in LIBRARIES]


def engine(library: Library) -> Finding:
    """Whether a library can be loaded."""
    run = library.loaded()
    if run.returncode == 0:
        return Finding(library.name, run.stdout.strip())
    if run.returncode < 0:
        return wrong(library.name, f"crashes on this processor (signal {-run.returncode})")
    said = run.stderr.strip().splitlines()[-1:]
    return wrong(library.name, "; ".join([*said, library.remedy]))


def newest(folder: Path) -> float:
    """When anything in a folder was last written, unix seconds; 0 for none."""
    return max((path.stat().st_mtime for path in folder.glob("*")), default=0.0)


def clock(now: float, last: float) -> Finding:
    """Whether the clock is set, and has not been set back: limits are UTC days and minutes."""
    shown = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    if now < EARLIEST:
        return wrong("clock", f"{shown} is long ago: set the clock, and let NTP keep it")
    if now < last - _DRIFT:
        then = datetime.fromtimestamp(last, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        words = f"{shown}, but the journal was written at {then}: the clock was set back"
        return Finding("clock", words, ok=False)
    return Finding("clock", shown)


def open_files(limit: int) -> Finding:
    """How many files a process may have open."""
    if limit == resource.RLIM_INFINITY or limit >= FILES_WANTED:
        return Finding("open files", "no limit" if limit < 0 else f"{limit:,}")
    words = f"{limit:,} allow {limit // 2:,} calls at a time: raise it (`ulimit -n 65536`)"
    return Finding("open files", words, ok=False, blocks=limit < FILES_NEEDED)
