"""`oxlo doctor`: each check, good and bad, and the whole command."""

import asyncio
import fcntl
import json
import re
import socket
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.ports import free_port
from tests.valkeys import ValkeyServer
from typer.testing import CliRunner

from oxlo import cli
from oxlo.catalogue import load
from oxlo.cli import checks, lock, services
from oxlo.cli.failures import message
from oxlo.cli.finding import Finding
from oxlo.cli.libraries import Library
from oxlo.fleet import registry
from oxlo.fleet.assign import assign
from oxlo.fleet.local import memory_mb
from oxlo.fleet.registry import Replica, ReplicaList, ReplicaState
from oxlo.hardware.sizing import Gpu, Machine
from oxlo.settings import Settings
from oxlo.store import migrate
from oxlo.store.database import Database
from oxlo.weights import Stock

ALL_CHECKS = [
    "python",
    "models",
    "home",
    "disk",
    "memory",
    "GPUs",
    "port",
    "gateway",
    "llama.cpp",
    "onnxruntime",
    "confinement",
    "database",
    "clock",
    "open files",
]
NOW = 1800000000.0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", port=free_port())


def run(settings: Settings, **environ: str) -> tuple[int, list[str]]:
    """The command's exit code and lines."""
    own = {"OXLO_HOME": str(settings.home), "OXLO_PORT": str(settings.port)}
    result = CliRunner().invoke(cli.app, ["doctor"], env=own | environ)
    return result.exit_code, result.output.splitlines()


def engine(name: str, state: ReplicaState) -> Replica:
    return Replica(
        id=name,
        model="m",
        kind="llamacpp",
        dialect="llamacpp",
        address="",
        engine_model="m",
        slots=1,
        context_length=1,
        state=state,
        reason="killed by signal 9; tried again in 16 s",
        generation=7,
        since=NOW - 9,
    )


def judged(finding: Finding) -> tuple[bool, bool]:
    return finding.ok, finding.blocks


def test_fresh_machine(settings: Settings) -> None:
    """All checks report, none blocks, and no file is left."""
    code, lines = run(settings)
    lines = lines[: lines.index("")]
    assert [re.sub(r"^(ok|!!)  ([^:]+): \S.*", r"\2", line) for line in lines] == ALL_CHECKS
    assert code == 0
    assert not settings.home.exists()


def test_one_bad_thing_is_exit_code_1(settings: Settings) -> None:
    """The other checks still run."""
    settings.home.write_text("a file where the folder should be")
    code, lines = run(settings)
    assert code == 1
    assert len(lines) == len(ALL_CHECKS)
    assert sum(line.startswith("!!  home") for line in lines) == 1


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("OXLO_PORT", "http", "OXLO_PORT='http'"),
        ("OXLO_MODELS", "smollm-135m", "smollm2-135m"),
        ("OXLO_PLANS", "/no/such/plans.toml", "/no/such/plans.toml"),
    ],
)
def test_bad_settings(settings: Settings, name: str, value: str, told: str) -> None:
    """Invalid settings end the checks, which depend on them."""
    code, lines = run(settings, **{name: value})
    assert code == 1
    assert lines[-1].startswith("!!  settings: ")
    assert told in lines[-1]


def test_findings_for_programs() -> None:
    """The findings as JSON, with the same exit code."""
    result = CliRunner().invoke(cli.app, ["doctor", "--json"], env={"OXLO_PORT": "x"})
    assert result.exit_code == 1
    python, settings = json.loads(result.output)
    assert python["ok"]
    assert settings["name"] == "settings"
    assert settings["blocks"]


def test_no_engine_no_engine_check(settings: Settings) -> None:
    """Without local models no library is checked."""
    code, lines = run(settings, OXLO_STARTER="none")
    assert code == 0
    assert "ok  models: none are to be served" in lines
    assert not any("llama.cpp" in line for line in lines)


@pytest.mark.parametrize(
    ("version", "ok"), [((3, 10, 14), False), ((3, 11, 0), True), ((3, 14, 1), True)]
)
def test_python(version: tuple[int, ...], ok: bool) -> None:
    """An interpreter that is too old blocks."""
    assert judged(checks.python(version)) == (ok, not ok)


def test_disk() -> None:
    """Only missing weights need disk space."""
    assert judged(checks.disk(0, checks.ROOM_MB)) == (True, False)
    assert judged(checks.disk(200, checks.ROOM_MB + 199)) == (False, True)


def test_home_that_others_can_open(settings: Settings) -> None:
    """The folder and the secrets in it are named with the command that closes them."""
    assert list(checks.exposed(settings.home)) == []
    settings.prepare()
    assert list(checks.exposed(settings.home)) == []
    settings.home.chmod(0o755)
    (settings.home / "secret").chmod(0o640)
    folder, secret = checks.exposed(settings.home)
    assert judged(folder) == judged(secret) == (False, False)
    assert f"(mode 0755): `chmod go= '{settings.home}'`" in folder.words
    assert "secret is open to other users (mode 0640)" in secret.words


def test_missing_weights(settings: Settings) -> None:
    """Archives count twice, for their extraction; shared files count once."""
    model = load().resolve("smollm2-135m")
    engines = assign([model, model], ())
    needed = checks.missing_mb(engines, Stock.of(settings))
    assert needed == 2 * model.weights[0].size // 2**20


def test_memory() -> None:
    """Too little memory is reported, but does not block."""
    assert judged(checks.memory(350, 350 + checks.OWN_MEMORY_MB)) == (True, False)
    assert judged(checks.memory(350, 512)) == (False, False)


def test_memory_is_that_of_the_machine(settings: Settings) -> None:
    """Engines on GPUs need none; without weights the variant's value is used."""
    cpu, gpu = load().resolve("smollm2-135m"), load().resolve("oxlo-image-pro")
    engines = assign([cpu, gpu], [Gpu(0, "NVIDIA L40S", 46_068)])
    part = Machine(2, 8000)
    taken = [memory_mb(engine, settings, part) for engine in engines]
    assert taken == [cpu.variants[0].memory_mb, 0]


def test_placed() -> None:
    """Shows the GPUs of engines, and the needs of models that cannot be served."""
    models = [load().resolve(name) for name in ("gemma-27b", "glm-5", "smollm2-135m")]
    seen, absent = checks.placed(assign(models, (Gpu(0, "NVIDIA L40S", 46_068),)))
    assert str(seen) == "ok  gemma-27b: vllm on GPU 0"
    assert judged(absent) == (False, False)
    assert "8 x h200" in absent.words


def test_running_engines() -> None:
    """Engines of a running fleet that are not ready are listed with reasons."""
    ready, sick = engine("a-1", ReplicaState.READY), engine("b-1", ReplicaState.SICK)
    assert list(map(str, checks.running([ready], NOW))) == ["ok  engines: 1 of 1 ready"]
    count, why = map(str, checks.running([ready, sick], NOW))
    assert count == "!!  engines: 1 of 2 ready"
    assert why == "!!  b-1: sick for 9 s, start 7: killed by signal 9; tried again in 16 s"


def test_engines_of_a_fleet_that_is_gone(settings: Settings) -> None:
    """The list of a fleet that ended is ignored."""
    settings.prepare()
    held = ReplicaList(NOW, (engine("a-1", ReplicaState.SICK),))
    registry.write(settings.replicas_file, held)
    assert not [line for line in run(settings)[1] if "engines: " in line]
    with (settings.home / lock.FLEET).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert "!!  engines: 0 of 1 ready" in run(settings)[1]


def test_gpus() -> None:
    """GPUs are listed; no GPU and no driver are distinguished."""
    cards = Machine(2, 8000, (Gpu(0, "Tesla T4", 15_360), Gpu(1, "NVIDIA T400", 4_096)))
    told = "0 Tesla T4 15,360 MiB (t4), 1 NVIDIA T400 4,096 MiB (too small)"
    assert checks.gpus(cards, driver=True).words == told
    none = Machine(2, 8000)
    assert "not installed" in checks.gpus(none, driver=False).words
    assert "shows none" in checks.gpus(none, driver=True).words


@pytest.fixture
def taken(settings: Settings) -> Iterator[socket.socket]:
    """A server on the port."""
    with socket.create_server((settings.host, settings.port)) as listener:
        yield listener


async def test_port_of_somebody_else(settings: Settings, taken: socket.socket) -> None:
    """Another program on the port blocks, and the remedy is named."""
    taken.setblocking(False)
    asking = asyncio.create_task(services.port(settings))
    connection, _ = await asyncio.get_running_loop().sock_accept(taken)
    connection.close()
    finding = await asking
    assert judged(finding) == (False, True)
    assert "OXLO_PORT" in finding.words


async def test_address_of_another_machine(settings: Settings) -> None:
    """An address that cannot be listened on blocks, and the setting is named."""
    finding = await services.port(replace(settings, host="192.0.2.1"))
    assert judged(finding) == (False, True)
    assert "is not this machine's; set OXLO_HOST" in finding.words


async def test_port_of_our_own(settings: Settings) -> None:
    """A running Oxlo is fine, and its models are listed."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = b'{"status":"starting","models":{"a":"ready","b":"starting"}}'
        writer.write(b"HTTP/1.1 503 \r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
        writer.close()

    async with await asyncio.start_server(answer, settings.host, settings.port):
        finding = await services.port(settings)
    assert finding.ok
    assert finding.words.endswith("oxlo is running there (a)")


def test_hot_path() -> None:
    """Python in place of the compiled module is said with its remedy, and blocks nothing."""
    assert checks.hot_path("/lib/outgoing.cpython-312.so").words == "compiled"
    assert "C compiler" in checks.hot_path("/src/outgoing.py").words


def test_confinement() -> None:
    """A kernel that is too old is named, and blocks nothing."""
    assert checks.confinement(supported=True).words == "engines cannot open connections"
    assert judged(checks.confinement(supported=False)) == (True, False)
    assert "Linux 6.7" in checks.confinement(supported=False).words


def test_home_of_another_user() -> None:
    """A folder that this user may not open is named with what to do."""
    error = PermissionError(13, "Permission denied", "/var/lib/oxlo/plans.toml")
    told = "/var/lib/oxlo/plans.toml is closed to this user: use Oxlo's user, or set OXLO_HOME"
    assert message(error) == told


@pytest.mark.parametrize(
    ("package", "version", "words", "ok"),
    [
        ("json", "'lib', '1.2'", "lib 1.2", True),
        ("no_such_module", "''", "No module named 'no_such_module'; pip install", False),
        ("os", "os.kill(os.getpid(), 4)", "(signal 4): build it here", False),
    ],
)
def test_engine(package: str, version: str, words: str, ok: bool) -> None:
    """A missing and a crashing library are distinguished."""
    finding = checks.engine(Library("lib", (package,), "extra", version))
    assert judged(finding) == (ok, not ok)
    assert words in finding.words


def test_certificate(settings: Settings) -> None:
    """One that cannot be used blocks; one that expires soon is a warning."""
    assert list(services.certificate(settings, NOW)) == []
    https = replace(settings, tls_cert=Path("/no/such.pem"))
    assert [judged(finding) for finding in services.certificate(https, NOW)] == [(False, True)]
    ends = (NOW + days * 86400 for days in (15, 13, -1))
    found = [services.validity(Path("cert.pem"), end, NOW) for end in ends]
    assert [judged(finding) for finding in found] == [(True, False)] + [(False, False)] * 2
    assert ["expires" in found[1].words, "expired" in found[2].words] == [True, True]


async def test_lost_secret(settings: Settings) -> None:
    """A home that was restored without its secret is named before it is started."""
    assert list(checks.secret(settings)) == []
    await migrated(settings)
    assert list(checks.secret(settings)) == []
    (settings.home / "secret").unlink()
    (found,) = checks.secret(settings)
    assert judged(found) == (False, True)
    assert "restore it from a backup" in found.words


async def migrated(settings: Settings) -> Path:
    settings.prepare()
    database = Database(settings.database)
    await migrate.prepare(database)
    await database.close()
    return settings.home / "oxlo.db"


def set_revision(file: Path, revision: str) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    connection.close()


async def test_schema(settings: Settings) -> None:
    """Only schemas that this version cannot use or migrate block."""
    none = await services.schema(settings)
    file = await migrated(settings)
    current = await services.schema(settings)
    set_revision(file, migrate.revisions()[-1])
    older = await services.schema(settings)
    set_revision(file, "9999")
    newer = await services.schema(settings)
    assert [judged(f) for f in (none, current, older)] == [(True, False)] * 3
    assert judged(newer) == (False, True)
    assert "made at the first start" in none.words
    assert "migrates" in older.words
    assert "update oxlo" in newer.words


async def test_unreachable_database(tmp_path: Path) -> None:
    """The store's message, in one line."""
    settings = Settings(home=tmp_path, database_url="postgresql://127.0.0.1:1/oxlo")
    finding = await services.schema(settings)
    assert judged(finding) == (False, True)


async def test_valkey(tmp_path: Path, valkey: ValkeyServer) -> None:
    """No persistence is a warning; no answer blocks."""
    given = Settings(home=tmp_path, valkey_url=valkey.url)
    volatile = await services.shared_limits(given)
    assert judged(volatile) == (False, False)
    assert "appendonly yes" in volatile.words
    away = Settings(home=tmp_path, valkey_url=f"unix://{tmp_path}/none.sock")
    assert judged(await services.shared_limits(away)) == (False, True)
    wrong = Settings(home=tmp_path, valkey_url="http://h")
    assert judged(await services.shared_limits(wrong)) == (False, True)


@pytest.mark.parametrize(
    ("now", "last", "expected"),
    [
        (NOW, 0.0, (True, False)),
        (NOW, NOW + 1, (True, False)),
        (NOW, NOW + 3600, (False, False)),
        (0.0, 0.0, (False, True)),
    ],
)
def test_clock(now: float, last: float, expected: tuple[bool, bool]) -> None:
    """A clock that was never set blocks; one that was set back is a warning."""
    assert judged(checks.clock(now, last)) == expected


@pytest.mark.parametrize(
    ("limit", "expected"),
    [(-1, (True, False)), (65536, (True, False)), (1024, (False, False)), (64, (False, True))],
)
def test_open_files(limit: int, expected: tuple[bool, bool]) -> None:
    """A low limit is a warning, a very low one blocks."""
    assert judged(checks.open_files(limit)) == expected
