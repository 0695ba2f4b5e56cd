"""The checks of `oxlo doctor` on this machine and its resources."""

import resource
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from oxlo.cli.finding import Finding, wrong
from oxlo.cli.libraries import LIBRARIES, Library
from oxlo.fleet.assign import Engine, kind_of
from oxlo.fleet.registry import Replica, ReplicaState
from oxlo.hardware.sizing import Machine
from oxlo.settings import Settings, SettingsError
from oxlo.weights import Stock

OLDEST_PYTHON = (3, 11)
#: Disk for journals, logs and the database, in addition to the weights.
ROOM_MB = 500
#: Memory of the platform without engines: the measured value plus a margin.
OWN_MEMORY_MB = 400
#: File descriptors. Each running request takes two: its client's and its engine's connection.
FILES_WANTED, FILES_NEEDED = 4096, 256
#: 2025-01-01 in unix seconds: an earlier clock was never set.
EARLIEST = 1735689600.0
#: Tolerated difference between the clock and file timestamps, in seconds.
_DRIFT = 60.0


def python(version: tuple[int, ...]) -> Finding:
    """Check the interpreter's version."""
    text, oldest = (".".join(map(str, numbers)) for numbers in (version, OLDEST_PYTHON))
    if version < OLDEST_PYTHON:
        return wrong("python", f"{text} is too old: install {oldest} or newer")
    return Finding("python", text)


def existing(path: Path) -> Path:
    """The path, or its nearest parent that exists."""
    return next(folder for folder in (path, *path.absolute().parents) if folder.exists())


def home(path: Path) -> Finding:
    """Check that the data folder can be written, or created."""
    try:
        with tempfile.TemporaryFile(dir=existing(path)):
            made = "" if path.exists() else " (made at the first start)"
            return Finding("home", f"{path}{made}")
    except OSError as error:
        return wrong("home", f"{path} cannot be written ({error.strerror}): set OXLO_HOME")


def exposed(home: Path) -> Iterator[Finding]:
    """The data folder and the secrets in it, if other users of the machine may open them."""
    if not home.is_dir():
        return
    for path in (home, *sorted(home.glob("secret")), *sorted(home.glob("oxlo.db*"))):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            words = f"{path} is open to other users (mode {mode:04o}): `chmod go= '{path}'`"
            yield Finding("home", words, ok=False)


def secret(settings: Settings) -> Iterator[Finding]:
    """The secret that keys are made with, if it was lost."""
    try:
        settings.check_secret()
    except SettingsError as error:
        yield wrong("secret", str(error))


def free_mb(path: Path) -> int:
    """Free disk space on the file system of the data folder, in MiB."""
    return shutil.disk_usage(existing(path)).free // 2**20


def missing_mb(engines: Iterable[Engine], stock: Stock) -> int:
    """Disk space for fetching missing weights, in MiB: archives are kept until extracted.

    Repositories that are not pinned yet, whose size is unknown, count as 0.
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
    """Check the disk space for `missing` weights and for the platform's own files, in MiB."""
    needed = missing + ROOM_MB
    if free < needed:
        return wrong("disk", f"{free:,} MB free, {needed:,} MB needed: free some, or set OXLO_HOME")
    return Finding("disk", f"{free:,} MB free; weights still to fetch take {missing:,} MB")


def placed(engines: Iterable[Engine]) -> Iterator[Finding]:
    """Models that cannot be served, with the reason, and those placed on GPUs."""
    for engine in engines:
        if engine.variant is None:
            yield Finding(engine.model.id, engine.reason, ok=False)
        elif engine.gpus:
            numbers = ", ".join(str(gpu.index) for gpu in engine.gpus)
            yield Finding(engine.model.id, f"{engine.variant.engine} on GPU {numbers}")


def running(replicas: Sequence[Replica], now: float) -> Iterator[Finding]:
    """The replicas of a running fleet: how many are ready, and why the others are not."""
    ready = sum(replica.state is ReplicaState.READY for replica in replicas)
    yield Finding("engines", f"{ready} of {len(replicas)} ready", ok=ready == len(replicas))
    for replica in replicas:
        if replica.state is not ReplicaState.READY:
            seconds = max(0.0, now - replica.since)
            starts = f", start {replica.generation}" if replica.generation > 1 else ""
            words = f"{replica.state} for {seconds:.0f} s{starts}: {replica.reason}"
            yield Finding(replica.id, words, ok=False)


def gpus(here: Machine, *, driver: bool) -> Finding:
    """The GPUs that this process may use. `driver`: whether nvidia-smi is installed."""
    if not here.gpus:
        why = "nvidia-smi shows none" if driver else "none: nvidia-smi is not installed"
        return Finding("GPUs", f"{why}; models run on the CPU where they can")
    cards = [
        f"{gpu.index} {gpu.name} {gpu.memory_mb:,} MiB ({kind_of(gpu) or 'too small'})"
        for gpu in here.gpus
    ]
    return Finding("GPUs", ", ".join(cards))


def memory(models: int, here: int) -> Finding:
    """Compare the memory of the machine or container with that of the models, in MiB."""
    needed = models + OWN_MEMORY_MB
    if here < needed:
        advice = "serve fewer models (OXLO_STARTER, OXLO_MODELS), or raise the limit"
        return Finding("memory", f"{here:,} MB here, {needed:,} MB needed: {advice}", ok=False)
    return Finding("memory", f"{here:,} MB here, {needed:,} MB needed")


def libraries(engines: Iterable[Engine]) -> list[Library]:
    """The libraries that these engines need, without duplicates."""
    kinds = dict.fromkeys(engine.variant.engine for engine in engines if engine.variant)
    return [LIBRARIES[kind] for kind in kinds if kind in LIBRARIES]


def engine(library: Library) -> Finding:
    """Check that a library can be imported."""
    run = library.loaded()
    if run.returncode == 0:
        return Finding(library.name, run.stdout.strip())
    if run.returncode < 0:
        crash = f"crashes on this processor (signal {-run.returncode})"
        return wrong(library.name, f"{crash}: build it here, or serve other models (OXLO_MODELS)")
    last_line = run.stderr.strip().splitlines()[-1:]
    return wrong(library.name, "; ".join([*last_line, library.remedy]))


def hot_path(file: str) -> Finding:
    """Whether the hot path is compiled; `file` is one of its modules."""
    if not file.endswith(".py"):
        return Finding("gateway", "compiled")
    words = "not compiled, so slower: install a C compiler (gcc, clang), then install Oxlo again"
    return Finding("gateway", words)


def confinement(*, supported: bool) -> Finding:
    """Whether the kernel keeps engines from opening connections."""
    if supported:
        return Finding("confinement", "engines cannot open connections")
    words = "engines could open connections: Linux 6.7 or newer forbids it, or use a firewall"
    return Finding("confinement", words)


def newest(folder: Path) -> float:
    """The latest modification time in a folder, unix seconds; 0 if it is empty."""
    return max((path.stat().st_mtime for path in folder.glob("*")), default=0.0)


def clock(now: float, last: float) -> Finding:
    """Check that the clock is set, and was not set back, because limits depend on it."""
    shown = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    if now < EARLIEST:
        return wrong("clock", f"{shown} is long ago: set the clock, and let NTP keep it")
    if now < last - _DRIFT:
        then = datetime.fromtimestamp(last, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        words = f"{shown}, but the journal was written at {then}: the clock was set back"
        return Finding("clock", words, ok=False)
    return Finding("clock", shown)


def open_files(limit: int) -> Finding:
    """Check the limit on open files."""
    if limit == resource.RLIM_INFINITY or limit >= FILES_WANTED:
        return Finding("open files", "no limit" if limit < 0 else f"{limit:,}")
    words = f"{limit:,} allow {limit // 2:,} calls at a time: raise it (`ulimit -n 65536`)"
    return Finding("open files", words, ok=False, blocks=limit < FILES_NEEDED)
