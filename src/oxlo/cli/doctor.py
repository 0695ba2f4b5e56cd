"""`oxlo doctor`: one line for each thing that a first start stumbles over, and what to do.

Then, what of the catalogue this machine can serve.
"""

import asyncio
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import typer

from oxlo import catalogue, plans
from oxlo.cli import reach, servable
from oxlo.cli.failing import CommandError
from oxlo.cli.libraries import LIBRARIES, Library, lacking
from oxlo.cli.valkey import program
from oxlo.errors import ModelNotFound
from oxlo.fleet import machine
from oxlo.fleet.assign import Engine, assign, kind_of
from oxlo.fleet.sizing import Machine
from oxlo.fleet.starter import chosen, wished
from oxlo.settings import Settings, SettingsError, misspelt
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
_VALKEY_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    name: str
    #: What is there; or what is wrong, and what to do.
    words: str
    ok: bool = True
    #: Whether `oxlo serve` cannot work like this.
    blocks: bool = False

    def __str__(self) -> str:
        return f"{'ok' if self.ok else '!!'}  {self.name}: {self.words}"


def doctor() -> None:
    """Check this machine and this installation; exit code 1 if something blocks a start."""
    blocked = False
    for finding in findings():
        typer.echo(str(finding))
        blocked |= finding.blocks
    if not blocked:
        typer.echo("\n".join(["", "The models of the catalogue, on this machine:", *survey()]))
    raise typer.Exit(1 if blocked else 0)


def findings() -> Iterator[Finding]:
    """Every check, each as soon as it is done; nothing is written but a temporary file."""
    yield python(sys.version_info[:3])
    try:
        settings = Settings.read()
        plans.load(settings.plans_file)
        known = catalogue.load(settings.catalogue_dir)
        models = [known.resolve(name) for name in chosen(settings, known)]
        wishes = wished(settings, known)
    except (SettingsError, msgspec.ValidationError, ModelNotFound, OSError) as mistake:
        yield wrong("settings", str(mistake))
        return
    for name, meant in misspelt().items():
        yield Finding("settings", f"{name} is no setting: is {meant} meant?", ok=False)
    here = machine.here(settings.visible_gpus)
    engines = assign(models, here.gpus, wishes)
    yield Finding("models", ", ".join(model.id for model in models) or "none are to be served")
    yield from placed(engines)
    yield home(settings.home)
    yield disk(missing_mb(engines, Stock.of(settings)), free_mb(settings.home))
    yield memory(memory_of(engines), here.memory_mb)
    yield gpus(here, driver=shutil.which("nvidia-smi") is not None)
    yield asyncio.run(port(settings))
    yield from map(engine, libraries(engines))
    yield asyncio.run(schema(settings))
    if settings.valkey_address:
        yield asyncio.run(shared_limits(settings))
    yield clock(time.time(), newest(settings.journal_dir))
    yield open_files(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def survey() -> Iterator[str]:
    """What of the catalogue this machine can serve, and what the rest is missing."""
    settings = Settings.read()
    known = catalogue.load(settings.catalogue_dir)
    here = machine.here(settings.visible_gpus)
    found = servable.verdicts(known, here, Stock.of(settings), lambda e: lacking(e, settings))
    return servable.paragraphs(found)


def wrong(name: str, words: str) -> Finding:
    """A finding that blocks."""
    return Finding(name, " ".join(words.split()), ok=False, blocks=True)


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


def memory_of(engines: Iterable[Engine]) -> int:
    """Memory that engines take on this machine, beside its GPUs', in MB."""
    return sum((e.variant.memory_mb or 0) if e.variant and e.on_cpu else 0 for e in engines)


def placed(engines: Iterable[Engine]) -> Iterator[Finding]:
    """Models that are to be served and cannot be, with what they miss; and those on GPUs."""
    for engine in engines:
        if engine.variant is None:
            yield Finding(engine.model.id, engine.reason, ok=False)
        elif engine.gpus:
            numbers = ", ".join(str(gpu.index) for gpu in engine.gpus)
            yield Finding(engine.model.id, f"{engine.variant.engine} on GPU {numbers}")


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
        return Finding("memory", f"{here:,} MB here, {needed:,} MB wanted: {advice}", ok=False)
    return Finding("memory", f"{here:,} MB here, {needed:,} MB wanted")


async def port(settings: Settings) -> Finding:
    """Whether the gateway can listen, or does already."""
    try:
        reach.check_port(settings)
    except reach.PortTaken as taken:
        models = await reach.ready(settings)
        if models is None:
            return wrong("port", str(taken))
        running = ", ".join(sorted(models)) or "no model ready yet"
        return Finding("port", f"{settings.port}: oxlo is running there ({running})")
    return Finding("port", f"{settings.port} on {settings.host} is free")


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


async def schema(settings: Settings) -> Finding:
    """Whether the database is at this program's schema, or will be by itself."""
    from oxlo.store import migrate
    from oxlo.store.database import Database
    from oxlo.store.errors import StoreError

    try:
        database = Database(settings.database)
        file = migrate.sqlite_file(database)
        if database.dialect == "sqlite" and not file.exists():
            return Finding("database", f"{file} (made at the first start)")
        try:
            current, known = await migrate.current(database), migrate.revisions()
        finally:
            await database.close()
    except StoreError as error:
        return wrong("database", str(error))
    match migrate.step(database.dialect, current, known):
        case migrate.Step.NOTHING:
            return Finding("database", f"schema {current}")
        case migrate.Step.MIGRATE:
            words = f"schema {current or 'none'}: the next start backs it up and migrates it"
            return Finding("database", words)
        case migrate.Step.REFUSE_OLDER:
            return wrong("database", f"schema {current or 'none'} is older: run `oxlo migrate`")
        case migrate.Step.REFUSE_NEWER:
            return wrong("database", f"schema {current} is newer than this program: update oxlo")


async def shared_limits(settings: Settings) -> Finding:
    """Whether the Valkey that keeps the limits answers, and writes down what it holds."""
    if not settings.valkey_url:
        try:
            return Finding("valkey", f"embedded: {program()}")
        except CommandError as error:
            return wrong("valkey", str(error))
    try:
        from oxlo.valkey.address import Address, AddressError
        from oxlo.valkey.client import Client, Lost, ReplyError
    except ImportError as error:
        return wrong("valkey", f"{error.name} is missing: pip install 'oxlo[valkey]'")
    try:
        address = Address.parse(settings.valkey_url)
    except AddressError as error:
        return wrong("valkey", str(error))
    client = Client(address, asyncio.get_running_loop())
    try:
        if not await client.up(_VALKEY_SECONDS):
            return wrong("valkey", f"{address} does not answer: {client.why}")
        kept = await client.ask(b"CONFIG", b"GET", b"appendonly")
    except (Lost, ReplyError):
        return Finding("valkey", str(address))  # it may not tell its configuration
    finally:
        await client.close()
    if b"no" in kept.values():
        words = f"{address} writes nothing down: set `appendonly yes`"
        return Finding("valkey", words, ok=False)
    return Finding("valkey", str(address))


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
