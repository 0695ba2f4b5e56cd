"""`oxlo fleet status`: what it says of a fleet that serves, of one that does not, and of none."""

import json
from pathlib import Path

from typer.testing import CliRunner

from oxlo import cli
from oxlo.cli.fleet_status import FleetStatus, lines, status
from oxlo.fleet.registry import Replica, ReplicaList, ReplicaState
from oxlo.portal.live import Gateways, Load
from oxlo.testing.replicas import replica

READY = replica("chat", slots=4, since=1800000000.0, generation=3)
SICK = replica("embed", ReplicaState.SICK, reason="killed by signal 9", since=1800000060.0)
BUSY = Gateways(("g1", "g2"), (Load("chat", "chat-1", 4, 3),), {"chat": 2}, 5)
NONE = Gateways((), (), {}, 0)
MEMORY = {"chat-1": 1_500_000_000, "embed-1": None}


def of(*replicas: Replica, load: Gateways = BUSY, **least: int) -> FleetStatus:
    return status("/home", ReplicaList(0.0, tuple(replicas), least), load, MEMORY)


def test_table() -> None:
    """Each replica with its load, memory, restarts and reason; then what is wrong."""
    head, chat, embed, _, *notes = "\n".join(lines(of(READY, SICK))).split("\n")
    assert head.split("  ")[0] == "REPLICA"
    assert " ".join(chat.split()) == "chat-1 ready 3 of 4 1,500 MB 2 2027-01-15T08:00:00Z -"
    assert " ".join(embed.split()).startswith("embed-1 sick 0 of 1 - 0 ")
    assert embed.endswith("killed by signal 9")
    assert notes == [
        "chat: 2 requests wait",
        "embed: 0 ready, at least 1 needed",
        "Gateways: g1, g2; 5 requests running",
    ]


def test_no_gateway() -> None:
    """What only gateways know is left open, never shown as zero."""
    found = of(READY, load=NONE)
    assert (found.requests_running, found.replicas[0].slots_in_use) == (None, None)
    assert "- of 4" in lines(found)[0]
    assert lines(found)[-1] == "No gateway answers: slots in use are not known."


def test_enough_is_what_the_operator_says() -> None:
    """A fleet serves if each model has its minimum of ready replicas."""
    assert of(READY).serves
    assert not of(READY, SICK).serves
    assert not of(READY, chat=2).serves


def test_no_fleet(tmp_path: Path) -> None:
    """Without a running fleet: one line, or the same fields for programs."""
    home = {"OXLO_HOME": str(tmp_path)}
    said = CliRunner().invoke(cli.app, ["fleet", "status"], env=home)
    assert (said.exit_code, said.output.count("\n")) == (1, 1)
    assert "start it with `oxlo serve`" in said.output
    found = json.loads(CliRunner().invoke(cli.app, ["fleet", "status", "--json"], env=home).output)
    assert (found["running"], found["replicas"]) == (False, [])
