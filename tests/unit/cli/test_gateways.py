"""The gateways that `oxlo serve` starts."""

from pathlib import Path

import pytest
from tests.valkeys import ValkeyServer
from tests.waiting import PATIENCE

from oxlo.cli import gateways, valkey
from oxlo.cli.failures import CommandError
from oxlo.settings import Settings


def test_one_needs_nothing(tmp_path: Path) -> None:
    """A single gateway has no name, and needs no Valkey."""
    (child,) = gateways.children(Settings(home=tmp_path), 1)
    assert child.name == "gateway"
    assert "--share-port" not in child.argv


def test_several_share(tmp_path: Path) -> None:
    """Several gateways have distinct names and share the port."""
    children = gateways.children(Settings(home=tmp_path, valkey_url="valkey://h"), 3)
    assert [child.name for child in children] == ["gateway-g1", "gateway-g2", "gateway-g3"]
    assert all("--share-port" in child.argv for child in children)


def test_several_need_a_valkey(tmp_path: Path) -> None:
    """Without Valkey, each would allow the whole limit; the error says what to set."""
    with pytest.raises(CommandError, match="OXLO_VALKEY=embedded"):
        gateways.children(Settings(home=tmp_path), 2)


def test_embedded_is_private(tmp_path: Path) -> None:
    """The embedded Valkey has no port, and persists its data."""
    settings = Settings(home=tmp_path, valkey="embedded")
    options = valkey.options(settings)
    assert (options["port"], options["unixsocketperm"], options["appendonly"]) == (
        "0",
        "600",
        "yes",
    )
    assert settings.valkey_address == f"unix://{options['unixsocket']}"
    assert Settings(home=tmp_path, valkey="embedded", valkey_url="valkey://h").valkey_address == (
        "valkey://h"
    )


def test_orphan_ends_first(tmp_path: Path) -> None:
    """An orphaned Valkey is shut down before another one opens its files."""
    server = ValkeyServer(tmp_path).start()
    valkey.end_orphan(server.socket)
    assert server.process is not None
    assert server.process.wait(PATIENCE) == 0
    valkey.end_orphan(server.socket)  # does nothing without a server
