"""Two hosts of one installation: each its own home, together one real PostgreSQL and one Valkey."""

import asyncio
import contextlib
import http.client
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tests import processes, remote
from tests.ports import free_port
from tests.postgres import database
from tests.scenario.served import START_PATIENCE, Platform, command, is_alive, until
from tests.valkeys import ValkeyServer
from tests.waiting import PATIENCE

MODEL = "shared"


class Host(Platform):
    """One of the hosts."""

    def __init__(self, home: Path, engine: int, shared: dict[str, str]) -> None:
        super().__init__(home, home)
        self.shared = shared
        remote.write(home, MODEL, f"http://127.0.0.1:{engine}", dialect="openai")

    def begin(self, **environ: str) -> "subprocess.Popen[str]":
        return super().begin(**self.shared | environ)

    def oxlo(self, *args: str) -> str:
        """Run a command and return its output."""
        process = command(self.home, self.port, *args, **self.shared)
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, err
        return out.strip()

    def is_up(self) -> bool:
        """Whether it is up and its model answers."""
        assert self.process
        assert self.process.poll() is None, self.err
        return "Stop with Ctrl-C." in self.out and self.is_ready()

    def new_key(self, account: str, plan: str) -> str:
        """A key of a new account."""
        self.oxlo("accounts", "create", account, "--plan", plan)
        return self.oxlo("keys", "create", "--account", account, "--quiet")

    def call(self, key: str, path: str = "", body: object = None, **headers: str) -> "Reply":
        """A chat, or what is asked of another path."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        lines = {"authorization": f"Bearer {key}", "content-type": "application/json", **headers}
        if not path:
            messages = [{"role": "user", "content": "hi"}]
            path, body = "/v1/chat/completions", {"model": MODEL, "messages": messages}
        try:
            data = None if body is None else json.dumps(body)
            connection.request("POST" if data else "GET", path, data, lines)
            reply = connection.getresponse()
            return Reply(reply.status, dict(reply.headers), reply.read())
        finally:
            connection.close()

    def kill_all(self) -> None:
        """kill -9 of everything, as when the power goes."""
        assert self.process
        processes = [*self.descendants(), self.process.pid]
        for pid in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.ended()
        until(lambda: not any(map(is_alive, processes)), "nobody left")


class Reply:
    """One reply."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def json(self) -> Any:
        return json.loads(self.body)


@pytest.fixture(scope="module")
def engine() -> Iterator[int]:
    """The port of one engine that both hosts call."""
    port = free_port()
    words = ["-m", "oxlo.testing.engine", "--port", str(port), "--model", MODEL, "--with-parent"]
    started = subprocess.Popen(
        [sys.executable, *words], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    with processes.ending(started):
        yield port


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory, engine: int) -> Iterator[tuple[Host, Host]]:
    """Both of them, ready."""
    folder = tmp_path_factory.mktemp("hosts")
    valkey = ValkeyServer(tmp_path_factory.mktemp("v")).start()
    with database() as url, contextlib.ExitStack() as stack:
        stack.callback(valkey.kill)
        shared = {
            "OXLO_DATABASE_URL": url,
            "OXLO_VALKEY_URL": valkey.url,
            "OXLO_VALKEY_TIMEOUT": str(PATIENCE),
            "OXLO_INSTALLATION_SECRET": "the one secret of both of the hosts",
            "OXLO_STARTER": "none",
        }
        both = Host(folder / "a", engine, shared), Host(folder / "b", engine, shared)
        both[0].oxlo("migrate")
        for host in both:
            stack.callback(host.close)
            host.begin()
        for host in both:
            until(host.is_up, "it serves the model", START_PATIENCE)
        yield both


def test_keys_of_both(hosts: tuple[Host, Host]) -> None:
    """A key that was made on one host works on the other, and is refused by both once revoked."""
    here, there = hosts
    key = here.new_key("ann", "pro")
    assert [host.call(key).status for host in hosts] == [200, 200]
    (listed,) = json.loads(here.oxlo("keys", "list", "--account", "ann", "--json"))
    there.oxlo("keys", "revoke", listed["id"])
    until(lambda: [host.call(key).status for host in hosts] == [401, 401], "refused by both")


def test_limits_of_both(hosts: tuple[Host, Host]) -> None:
    """Both hosts together answer exactly what the plan allows of a minute."""
    for number in itertools.count():
        key = hosts[0].new_key(f"ben-{number}", "free")
        began = time.time() // 60
        with ThreadPoolExecutor(4) as pool:
            replies = list(pool.map(lambda n, key=key: hosts[n % 2].call(key), range(16)))
        if time.time() // 60 == began:  # else it was allowed those of two minutes
            break
    assert [reply.status for reply in replies].count(200) == 5
    for host in hosts:
        limits = host.call(key, "/v1/limits").json()
        assert (limits["day"]["used"], limits["concurrency"]["in_use"]) == (5, 0)


def test_receipts_of_both(hosts: tuple[Host, Host]) -> None:
    """Each host has the receipts of both: they drain their journals into one database."""
    key = hosts[0].new_key("cid", "pro")
    for caller, reader in (hosts, hosts[::-1]):
        call = caller.call(key).headers["x-request-id"]
        reply = until(lambda h=reader, c=call: seen(h, key, c), "the other host's receipt")
        assert (reply["outcome"], reply["counted"]) == ("answered", True)


def seen(host: Host, key: str, call: str) -> Any:
    """A receipt, once the host knows of it."""
    reply = host.call(key, f"/v1/requests/{call}")
    return reply.json() if reply.status == 200 else None


def test_answers_of_both(hosts: tuple[Host, Host]) -> None:
    """A call that is repeated at the other host gets the first one's answer, and counts once."""
    key = hosts[0].new_key("dan", "pro")
    first, second = (host.call(key, **{"idempotency-key": "k1"}) for host in hosts)
    assert (first.status, second.body) == (200, first.body)
    assert second.headers["x-oxlo-idempotent-replay"] == first.headers["x-request-id"]
    assert hosts[1].call(key, "/v1/limits").json()["day"]["used"] == 1


@pytest.mark.slow
def test_database_that_takes_no_writes(hosts: tuple[Host, Host]) -> None:
    """While PostgreSQL is read-only, calls are answered and have receipts; SQL catches up."""
    key = hosts[0].new_key("fay", "pro")
    assert [host.call(key).status for host in hosts] == [200, 200]
    url = hosts[0].shared["OXLO_DATABASE_URL"]
    asyncio.run(read_only(url, "on"))
    try:
        call = hosts[0].call(key).headers["x-request-id"]
        assert until(lambda: seen(hosts[0], key, call), "a receipt")["counted"] is True
        log = hosts[0].home / "logs" / "control.log"
        until(lambda: "read-only transaction" in log.read_text(), "it is said why")
        process = command(
            hosts[0].home, hosts[0].port, "keys", "create", "--account", "fay", **hosts[0].shared
        )
        assert re.fullmatch(r"oxlo: .*read-only transaction\n", process.communicate()[1])
    finally:
        asyncio.run(read_only(url, "off"))
    assert until(lambda: seen(hosts[1], key, call), "the other host's receipt")["counted"] is True


async def read_only(url: str, state: str) -> None:
    """Whether transactions may write, from the next connection on: there are no others left."""
    connection = await asyncpg.connect(url)
    name = await connection.fetchval("select current_database()")
    await connection.execute("set default_transaction_read_only = off")
    await connection.execute(f'alter database "{name}" set default_transaction_read_only = {state}')
    await connection.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    )
    await connection.close()


@pytest.mark.slow
def test_a_host_dies(hosts: tuple[Host, Host], engine: int) -> None:
    """The other goes on; once restarted, a host settles its open calls and has its receipts."""
    here, there = hosts
    key = here.new_key("eve", "pro")
    answered = here.call(key).headers["x-request-id"]
    script(engine, "/_script", {"gate": "open"})
    with ThreadPoolExecutor(1) as pool:
        cut = pool.submit(here.call, key)
        until(lambda: there.call(key, "/v1/limits").json()["concurrency"]["in_use"] == 1, "runs")
        here.kill_all()
        assert isinstance(cut.exception(), OSError | http.client.HTTPException)
    script(engine, "/_script", {})
    assert there.call(key).status == 200
    here.begin()
    until(here.is_up, "it is back", START_PATIENCE)
    assert seen_by_all(hosts, key, answered) == [("answered", True)] * 2
    lost = until(lambda: [r for r in listed(there, key) if r["outcome"] == "lost"], "the open call")
    assert [r["counted"] for r in lost] == [False]
    limits = [host.call(key, "/v1/limits").json() for host in hosts]
    assert [(n["day"]["used"], n["concurrency"]["in_use"]) for n in limits] == [(2, 0)] * 2


def script(engine: int, path: str, body: object) -> None:
    """Control the engine double over HTTP."""
    connection = http.client.HTTPConnection("127.0.0.1", engine, timeout=PATIENCE)
    connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
    assert connection.getresponse().status == 200
    connection.close()


def seen_by_all(hosts: tuple[Host, Host], key: str, call: str) -> list[tuple[str, bool]]:
    receipts = [until(lambda h=host: seen(h, key, call), "a receipt") for host in hosts]
    return [(receipt["outcome"], receipt["counted"]) for receipt in receipts]


def listed(host: Host, key: str) -> list[Any]:
    """An account's receipts."""
    found: list[Any] = host.call(key, "/v1/requests").json()["data"]
    return found
