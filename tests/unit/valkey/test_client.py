"""The client on a real server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import hiredis
import pytest
from tests.valkeys import ValkeyServer
from tests.waiting import PATIENCE, until

from oxlo.valkey.address import Address
from oxlo.valkey.client import Client, Lost
from oxlo.valkey.script import Script, command
from oxlo.valkey.wire import REPLICA

Connect = Callable[..., Client]


@pytest.fixture
async def connect(valkey: ValkeyServer) -> AsyncIterator[Connect]:
    """Clients, closed at the end."""
    made: list[Client] = []

    def make(**given: Any) -> Client:
        address = given.pop("address", valkey.address)
        made.append(Client(address, asyncio.get_running_loop(), timeout=PATIENCE, **given))
        return made[-1]

    yield make
    for client in made:
        await client.close()


async def up(client: Client) -> Client:
    await until(lambda: client.connected)
    return client


async def test_replies_come_in_order(connect: Connect) -> None:
    """A thousand commands of one turn of the loop are answered one by one."""
    client = await up(connect())
    got: list[Any] = []
    for number in range(1000):
        client.send(command(b"ECHO", b"%d" % number), got.append)
    await client.ask(b"PING")
    assert got == [b"%d" % number for number in range(1000)]


async def test_errors_are_replies(connect: Connect) -> None:
    """What the server refuses is told to who asked; the next command is not affected."""
    client = await up(connect())
    with pytest.raises(hiredis.ReplyError, match="unknown command"):
        await client.ask(b"NOSUCH")
    assert await client.ask(b"PING") == b"PONG"


async def test_scripts_are_loaded_again(connect: Connect) -> None:
    """A server that forgot a script is told it, and the call is carried out."""
    script = Script(b"return ARGV[1]")
    client = await up(connect(scripts=[script]))
    await client.ask(b"SCRIPT", b"FLUSH")
    got: list[Any] = []
    client.send(script.call(b"k", b"v"), got.append)
    while not got:
        await client.ask(b"PING")
    assert got == [b"v"]


async def test_messages_come_beside_replies(connect: Connect) -> None:
    """What is published reaches who subscribed, in between replies."""
    heard: list[tuple[bytes, bytes]] = []
    client = await up(connect(channels=["c"], message=lambda *said: heard.append(said)))
    assert await client.ask(b"PUBLISH", b"c", b"hello") == 1
    await client.ask(b"PING")
    assert heard == [(b"c", b"hello")]


async def test_without_a_connection(connect: Connect) -> None:
    """Nobody waits for a server that is not there."""
    client = connect(address=Address(socket="/nowhere/v.sock"))
    with pytest.raises(Lost):
        await client.ask(b"PING")
    assert client.connected is False


async def test_signed_in_to_a_database(connect: Connect) -> None:
    """User, password and database of the URL are used; a wrong password never connects."""
    admin = await up(connect())
    await admin.ask(b"ACL", b"SETUSER", b"ann", b"on", b">pw", b"~*", b"&*", b"+@all")
    right = Address(socket=admin.address.socket, username="ann", password="pw", database=5)
    client = await up(connect(address=right))
    assert await client.ask(b"ACL", b"WHOAMI") == b"ann"
    await client.ask(b"SET", b"where", b"five")
    assert await admin.ask(b"GET", b"where") is None
    wrong = connect(address=Address(socket=admin.address.socket, username="ann", password="no"))
    with pytest.raises(Lost):
        await wrong.ask(b"PING")
    assert wrong.connected is False


async def test_channels_that_are_not_allowed(connect: Connect) -> None:
    """A user without the channels never connects, and the reason is the server's own."""
    admin = await up(connect())
    await admin.ask(b"ACL", b"SETUSER", b"deaf", b"on", b">pw", b"~*", b"resetchannels", b"+@all")
    address = Address(socket=admin.address.socket, username="deaf", password="pw")
    client = connect(address=address, channels=["c"])
    await until(lambda: client.why.startswith("NOPERM"))
    assert client.connected is False


async def test_failover(connect: Connect, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A server that became a replica is left, and the address leads to the new primary."""
    folder = tmp_path_factory.mktemp("v")
    old, new = ValkeyServer(folder / "1").start(), ValkeyServer(folder / "2").start()
    try:
        address = folder / "v.sock"
        address.symlink_to(old.socket)
        client = await up(connect(address=Address(socket=str(address))))
        await client.ask(b"REPLICAOF", b"127.0.0.1", b"1")
        with pytest.raises(hiredis.ReplyError, match="READONLY"):
            await client.ask(b"SET", b"k", b"v")
        await until(lambda: client.why == REPLICA)
        address.unlink()
        address.symlink_to(new.socket)
        await up(client)
        assert await client.ask(b"SET", b"k", b"v") == b"OK"
    finally:
        old.kill()
        new.kill()


async def test_callback_that_fails(connect: Connect) -> None:
    """A bug of one who asked or subscribed costs nobody else the connection, a reply or its end."""
    heard: list[bytes] = []

    def broken(*reply: object) -> None:
        heard.append(b"")
        raise RuntimeError("a bug")

    client = await up(connect(channels=["c"], message=broken))
    got: list[Any] = []
    for last in (b"1", b"2"):
        client.send(command(b"PUBLISH", b"c", b"hello"), broken)
        client.send(command(b"ECHO", last), got.append)
    await asyncio.wait_for(client.ask(b"PING"), PATIENCE)
    assert (client.connected, got, len(heard)) == (True, [b"1", b"2"], 4)
    client.send(command(b"PING"), broken)
    client.send(command(b"PING"), got.append)
    await client.close()
    assert isinstance(got[-1], Lost)
