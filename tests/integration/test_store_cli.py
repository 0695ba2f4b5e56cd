"""The command line as operators and scripts use it: real commands, real files."""

import asyncio
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from click.testing import Result
from tests.processes import control_ready, told
from tests.waiting import clear_of_midnight
from typer.testing import CliRunner

from oxlo import cli
from oxlo.cli import lock
from oxlo.plans import apikey
from oxlo.plans.caller import Changes
from oxlo.settings import Settings
from oxlo.store import accounts, calls
from oxlo.store.calls import Call
from oxlo.store.database import Database

OXLO = (sys.executable, "-c", "from oxlo.cli import main; main()")


def _oxlo(home: Path, *args: str) -> Result:
    """One command, in this process: to start one for each would take most of the time."""
    return CliRunner().invoke(cli.app, args, env={"OXLO_HOME": str(home), "COLUMNS": "200"})


def _said(home: Path, *args: str) -> str:
    done = _oxlo(home, *args)
    assert done.exit_code == 0, done.stderr
    return done.stdout


def _program(home: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """One command as a process."""
    environ = {**os.environ, "OXLO_HOME": str(home)}
    return subprocess.run(
        [*OXLO, *args], env=environ, capture_output=True, text=True, check=False, timeout=60
    )


def test_the_program_itself(tmp_path: Path) -> None:
    """As a process it says the same, and a mistake is one line on stderr alone."""
    made, again = (_program(tmp_path, "accounts", "create", "ann") for _ in range(2))
    assert (made.returncode, made.stderr) == (0, "")
    assert "on plan free" in made.stdout
    assert (again.returncode, again.stdout, again.stderr.count("\n")) == (1, "", 1)


def test_account_from_nothing(tmp_path: Path) -> None:
    """On a new installation: create an account, change its plan, look at it."""
    assert "on plan free" in _said(tmp_path, "accounts", "create", "ann", "--email", "a@b.example")
    assert "on plan pro" in _said(tmp_path, "accounts", "set-plan", "ann", "pro")
    (listed,) = json.loads(_said(tmp_path, "accounts", "list", "--json"))
    assert (listed["name"], listed["plan"], listed["email"]) == ("ann", "pro", "a@b.example")
    assert "password_hash" not in listed
    assert "0 of 300" in _said(tmp_path, "accounts", "show", "ann")


def test_link_to_set_a_password(tmp_path: Path) -> None:
    """A link to the portal, and only its hash in the database."""
    _said(tmp_path, "accounts", "create", "ann")
    link = _said(tmp_path, "accounts", "link", "ann").strip()
    assert re.fullmatch(r"http://127\.0\.0\.1:8000/welcome\?token=[\w-]{43}", link)
    token = link.partition("=")[2].encode()
    assert token not in b"".join(file.read_bytes() for file in tmp_path.glob("oxlo.db*"))


def test_deeds_are_in_the_audit_log(tmp_path: Path) -> None:
    """What is done at the command line stands beside what is done in the console."""
    _said(tmp_path, "accounts", "create", "ann")
    _said(tmp_path, "accounts", "set-plan", "ann", "pro")
    _said(tmp_path, "keys", "create", "--account", "ann", "--name", "web")
    with closing(sqlite3.connect(tmp_path / "oxlo.db")) as db:
        rows = db.execute("select actor, action, detail from audit order by at").fetchall()
    assert rows == [
        ("cli", "account.created", "free"),
        ("cli", "account.plan", "free to pro"),
        ("cli", "key.created", "web of ann"),
    ]


def test_key_from_birth_to_end(tmp_path: Path) -> None:
    """--quiet prints the bare key; the list shows it without its secret, then as revoked."""
    _said(tmp_path, "accounts", "create", "ann")
    options = ("--name", "web", "--expires", "30d", "--origins", "https://a.example")
    secret = _said(tmp_path, "keys", "create", "--account", "ann", "--quiet", *options).strip()
    assert re.fullmatch(r"sk_[A-Za-z0-9_-]{43}", secret)
    assert apikey.genuine(secret, Settings(home=tmp_path).signing_secret())
    listed = _said(tmp_path, "keys", "list", "--account", "ann", "--json")
    assert secret not in listed
    (key,) = json.loads(listed)
    assert (key["state"], key["origins"]) == ("active", ["https://a.example"])
    assert "sha256" not in key
    assert key["id"] in _said(tmp_path, "keys", "revoke", key["id"])
    assert "revoked" in _said(tmp_path, "keys", "list", "--account", "ann")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ("accounts create ann", "exists already"),
        ("accounts create bob --plan gold", "there are free, pro, premium, enterprise"),
        ("accounts create bob --email nowhere", "not an e-mail address"),
        ("accounts set-plan nobody pro", "no account 'nobody'"),
        ("accounts show nobody", "no account 'nobody'"),
        ("keys create --account nobody", "no account 'nobody'"),
        ("keys create --account ann --expires soon", "30d"),
        ("keys create --account ann --models no-such-model", "does not exist"),
        ("keys create --account ann --endpoints telepathy", "there are chat"),
        ("keys create --account ann --origins example.com", "not an origin"),
        ("keys revoke key_0", "no key 'key_0'"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, args: str, words: str) -> None:
    """What cannot be done: one line on stderr, nothing on stdout, exit code 1."""
    _said(tmp_path, "accounts", "create", "ann")
    done = _oxlo(tmp_path, *args.split())
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert words in done.stderr


def test_migrate_twice(tmp_path: Path) -> None:
    """The first run makes the schema; the second finds nothing to do."""
    assert "from none to" in _said(tmp_path, "migrate")
    assert "nothing to do" in _said(tmp_path, "migrate")


async def _hang_up(process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None
    process.stdin.close()
    await process.stdin.wait_closed()


@pytest.mark.parametrize("ending", ["sigterm", "parent"])
async def test_control_ends_with_its_parent(tmp_path: Path, ending: str) -> None:
    """Control sees what the command line writes, and ends on SIGTERM or with its parent."""
    environ = {**os.environ, "OXLO_HOME": str(tmp_path)}
    args = (*OXLO, "control", "--with-parent")
    control = await asyncio.create_subprocess_exec(
        *args, env=environ, stdin=subprocess.PIPE, stderr=subprocess.PIPE
    )
    settings = Settings(home=tmp_path)
    await control_ready(settings)
    await asyncio.to_thread(_said, tmp_path, "accounts", "create", "ann")
    changes = await told(settings.control_private_socket, "/changes")
    assert msgspec.json.decode(changes, type=Changes).counter == 1
    if ending == "sigterm":
        control.send_signal(signal.SIGTERM)
    else:
        await _hang_up(control)
    _, logs = await control.communicate()
    assert control.returncode == 0
    events = [json.loads(line)["event"] for line in logs.splitlines()]
    assert events == ["control.ready", "control.stopped"]


def test_requests_are_granted(tmp_path: Path) -> None:
    """An account is shown with what it was granted; an odd day or call is one line."""
    clear_of_midnight()  # the grant is for today
    _said(tmp_path, "accounts", "create", "ann")
    assert "got 5 requests more" in _said(
        tmp_path, "accounts", "grant", "ann", "5", "--reason", "an outage"
    )
    assert "0 of 65" in _said(tmp_path, "accounts", "show", "ann")
    odd = _oxlo(tmp_path, "accounts", "grant", "ann", "5", "--reason", "x", "--day", "soon")
    assert (odd.exit_code, "2026-11-28" in odd.stderr) == (1, True)
    unknown = _oxlo(tmp_path, "accounts", "refund", "req_1", "--reason", "x")
    assert (unknown.exit_code, "x-request-id" in unknown.stderr) == (1, True)


@pytest.mark.parametrize(("command", "file"), [("fleet", "fleet.lock"), ("valkey", "valkey.lock")])
def test_one_to_a_home(tmp_path: Path, command: str, file: str) -> None:
    """A second fleet or Valkey, started by mistake, leaves the first one's files alone."""
    lock.hold(tmp_path / file, f"`oxlo {command}`")
    done = _oxlo(tmp_path, command)
    assert (done.exit_code, done.stderr) == (
        1,
        f"oxlo: another `oxlo {command}` runs on {tmp_path}; stop it or set OXLO_HOME\n",
    )


@pytest.mark.parametrize("name", ["../g1", "g 1", "", "g" * 33])
def test_gateways_names_are_parts_of_files(tmp_path: Path, name: str) -> None:
    """A name that would lead out of the home, or could not be a file's, is refused."""
    done = _oxlo(tmp_path, "gateway", "--name", name)
    assert done.exit_code == 1
    assert done.stderr.startswith(f"oxlo: --name {name!r}: up to 32 letters")


def _calls_of(home: Path, account: str, *made: Call) -> None:
    """Calls of an account, as control takes them over from journals."""

    async def save() -> None:
        database = Database(Settings(home=home).database)
        async with database.write() as db:
            owner = (await accounts.find(db, account)).id
            await calls.save(db, [msgspec.structs.replace(call, account_id=owner) for call in made])
        await database.close()

    asyncio.run(save())


def _call(name: str, at: int, outcome: str, *, counted: bool, error: str = "") -> Call:
    return Call(
        id=name, account_id="", key_id="key_1", plan="free", model="m", endpoint="chat",
        stream=False, admitted_at=at, settled_at=at + 1, day=at // 86400, minute=at // 60,
        status=200, outcome=outcome, counted=counted, error=error, first_ms=150.0, total_ms=1200.0,
    )  # fmt: skip


def test_charged_twice(tmp_path: Path) -> None:
    """An operator sees each call of an account, whether it counted and why, and gives one back."""
    _said(tmp_path, "accounts", "create", "ann")
    day = 20_000 * 86400
    _calls_of(
        tmp_path,
        "ann",
        _call("req_1", day, "answered", counted=True),
        _call("req_2", day + 5, "replayed", counted=False),
        _call("req_3", day + 9, "failed", counted=False, error="engine_failed"),
        _call("req_4", day + 86400, "answered", counted=True),
    )
    listed = _said(tmp_path, "calls", "list", "--account", "ann", "--day", "2024-10-04")
    assert re.findall(r"req_\d", listed) == ["req_3", "req_2", "req_1"]
    assert "got its answer: it does not count." in listed
    assert "failed (engine_failed): it does not count." in listed
    counted = json.loads(
        _said(tmp_path, "calls", "list", "--account", "ann", "--counted", "--json")
    )
    assert [call["id"] for call in counted] == ["req_4", "req_1"]
    _said(tmp_path, "accounts", "refund", "req_1", "--reason", "our fault")
    shown = _said(tmp_path, "calls", "show", "req_1")
    assert "our fault" in shown
    assert "0 ms in the queue, first token after 150 ms, 1,200 ms in all" in shown
    unknown = _oxlo(tmp_path, "calls", "show", "req_9")
    assert (unknown.exit_code, "x-request-id" in unknown.stderr) == (1, True)


def test_close_and_reopen(tmp_path: Path) -> None:
    """A closed account says so everywhere; its keys are kept for when it is open again."""
    _said(tmp_path, "accounts", "create", "ann")
    _said(tmp_path, "keys", "create", "--account", "ann")
    assert "closed" in _said(tmp_path, "accounts", "close", "ann")
    assert "closed" in _said(tmp_path, "accounts", "list")
    assert "State           closed" in _said(tmp_path, "accounts", "show", "ann")
    assert "is open" in _said(tmp_path, "accounts", "reopen", "ann")
    assert "State           open" in _said(tmp_path, "accounts", "show", "ann")
    assert "active" in _said(tmp_path, "keys", "list", "--account", "ann")


def test_lost_device(tmp_path: Path) -> None:
    """An operator turns one-time codes off; recovery codes go with them, and a mail says so."""
    _said(tmp_path, "accounts", "create", "ann", "--email", "ann@example.com")
    refused = _oxlo(tmp_path, "accounts", "disable-codes", "ann")
    assert (refused.exit_code, "not on for ann" in refused.stderr) == (1, True)
    with closing(sqlite3.connect(tmp_path / "oxlo.db")) as db, db:
        db.execute("update accounts set totp_nonce = 'n', totp_at = 1, totp_step = 1")
        db.execute("insert into recovery_codes select id, 'd', 1, null from accounts")
    assert "One-time codes  on" in _said(tmp_path, "accounts", "show", "ann")
    assert "off for ann" in _said(tmp_path, "accounts", "disable-codes", "ann")
    assert "One-time codes  off" in _said(tmp_path, "accounts", "show", "ann")
    with closing(sqlite3.connect(tmp_path / "oxlo.db")) as db:
        assert db.execute("select totp_nonce from accounts").fetchall() == [(None,)]
        assert db.execute("select * from recovery_codes").fetchall() == []
        assert db.execute("select recipient from mails").fetchall() == [("ann@example.com",)]
        assert db.execute("select count(*) from audit where action = 'totp.off'").fetchone() == (1,)


def test_backup_and_restore(tmp_path: Path) -> None:
    """A copy of a home in use is a home of its own: the same accounts, and keys that verify."""
    home, copy = tmp_path / "home", tmp_path / "backups" / "today"
    refused = _oxlo(home, "backup", str(copy))
    assert (refused.exit_code, "nothing to back up" in refused.stderr) == (1, True)
    _said(home, "accounts", "create", "ann")
    (home / "journal" / "g1-1.jsonl").write_text("a line")
    (home / "models.d").mkdir()
    (home / "models.d" / "mine.toml").write_text("")
    with closing(sqlite3.connect(home / "oxlo.db")) as held:
        held.execute("select * from accounts").fetchone()
        said = _said(home, "backup", str(copy))
    assert said == f"Copied oxlo.db, secret, journal, models.d from {home} to {copy}.\n"
    assert "ann" in _said(copy, "accounts", "list")
    assert (copy / "secret").read_text() == (home / "secret").read_text()
    assert (copy / "journal" / "g1-1.jsonl").read_text() == "a line"
    assert [path.name for path in copy.parent.iterdir()] == ["today"]
    assert {path.stat().st_mode & 0o077 for path in (copy, copy / "oxlo.db")} == {0}
    assert "exists already" in _oxlo(home, "backup", str(copy)).stderr
