"""An installation for benches: `oxlo control` and `oxlo gateway` in front of given engines."""

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.processes import LOAD, MEASURED, Failed, Process, free_port
from oxlo import plans as shipped
from oxlo.fleet import registry
from oxlo.fleet.registry import Replica, ReplicaList
from oxlo.settings import Settings

#: Premium's input limit without its rate limits, because a bench sends a day's requests at once.
CAPPED = """
[plan.capped]
name = "Capped"
max_input_tokens = 16384
tiers = ["free", "pro", "premium"]
queue = "highest"

[plan.crowd]
name = "Crowd"
requests_per_day = 1000000
requests_per_minute = 1000000
concurrency = 40
tiers = ["free", "pro", "premium"]
queue = "high"
"""

MODEL = """
id = "{id}"
name = "{id}"
category = "chat"
tier = "free"
description = "A model of the bench."
abilities = [{abilities}]
context_length = 131072
licence = "none"
homepage = "none"
created = 1
"""


@dataclass(frozen=True)
class Installation:
    """A running installation and its processes."""

    port: int
    #: The first gateway; `gateways` has all of them.
    gateway: Process
    control: Process
    #: A key without limits, and one with an input limit.
    key: str
    capped_key: str
    gateways: tuple[Process, ...] = ()
    #: The Valkey with the limits; None if they are in the gateway's memory.
    valkey: Process | None = None
    #: The environment of its processes.
    env: dict[str, str] = field(default_factory=dict)

    def new_key(self, account: str, plan: str) -> str:
        """Create an account and return its key. Raises Failed."""
        return key(self.env, plan, account)


@contextmanager
def installation(
    home: Path,
    models: Iterable[str],
    replicas: Iterable[Replica],
    *,
    pinned: bool = True,
    abilities: Sequence[str] = ("chat", "completions"),
    media: bool = False,
    workers: int = 1,
    valkey: bool = False,
    plans: str = "",
    queue_limit: int = 256,
) -> Iterator[Installation]:
    """Run an installation in the empty folder `home`; `models` are added to the catalogue.

    `pinned` gives the gateway a dedicated CPU if possible, `media` adds the media process,
    `workers` is the number of gateways that share the port, `valkey` keeps limits in a Valkey,
    `plans` are added to the shipped ones, and `queue_limit` is the number of requests that may wait
    per model. Raises Failed.
    """
    cpus = (MEASURED, LOAD) if pinned else (None, None)
    port = free_port()
    env = _environment(home, port, plans) | {"OXLO_QUEUE_LIMIT": str(queue_limit)}
    env |= {"OXLO_VALKEY": "embedded"} if valkey else {}
    settings = Settings.read(env)
    settings.prepare()
    _write_models(settings, models, abilities)
    registry.write(settings.replicas_file, ReplicaList(time.time(), tuple(replicas)))
    with Process(oxlo("control"), home / "control.log", cpus[1], env) as control:
        control.wait_for_path(settings.control_private_socket)
        keys = key(env, "enterprise"), key(env, "capped")
        with ExitStack() as stack:
            if media:
                reader = Process(oxlo("media"), home / "media.log", cpus[1], env)
                stack.enter_context(reader).wait_for_path(settings.media_socket)
            store = _valkey(settings, env, cpus[1], stack) if valkey else None
            gateways = tuple(_gateways(workers, home, env, cpus[0], stack))
            for each in gateways:
                each.wait_for_port(port)
            for number in range(2, workers + 1):
                gateways[number - 1].wait_for_path(settings.gateway_socket(f"g{number}"))
            yield Installation(port, gateways[0], control, *keys, gateways, store, env)


def _valkey(settings: Settings, env: dict[str, str], cpu: int | None, stack: ExitStack) -> Process:
    process = Process(oxlo("valkey"), settings.home / "valkey.log", cpu, env)
    stack.enter_context(process).wait_for_path(settings.valkey_socket)
    return process


def _gateways(
    workers: int, home: Path, env: dict[str, str], cpu: int | None, stack: ExitStack
) -> Iterator[Process]:
    if workers == 1:
        yield stack.enter_context(Process(oxlo("gateway"), home / "gateway.log", cpu, env))
        return
    for number in range(1, workers + 1):
        name = f"g{number}"
        command = oxlo("gateway", "--name", name, "--share-port")
        yield stack.enter_context(Process(command, home / f"{name}.log", cpu, env))


def _environment(home: Path, port: int, more: str) -> dict[str, str]:
    """Build an environment without the user's own settings."""
    file = home / "plans.toml"
    file.write_text(Path(shipped.__file__).with_name("plans.toml").read_text() + CAPPED + more)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OXLO_")}
    return inherited | {"OXLO_HOME": str(home), "OXLO_PORT": str(port), "OXLO_PLANS": str(file)}


def _write_models(settings: Settings, models: Iterable[str], abilities: Sequence[str]) -> None:
    listed = ", ".join(f'"{ability}"' for ability in abilities)
    settings.catalogue_dir.mkdir()
    for model in models:
        (settings.catalogue_dir / f"{model}.toml").write_text(
            MODEL.format(id=model, abilities=listed)
        )


def oxlo(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "oxlo", *arguments]


def key(env: dict[str, str], plan: str, account: str = "") -> str:
    """Create an account on `plan`, named like it by default, and return its key."""
    name = account or plan
    _run(env, "accounts", "create", name, "--plan", plan)
    return _run(env, "keys", "create", "--account", name, "--quiet")


def _run(env: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(oxlo(*arguments), env=env, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"oxlo {' '.join(arguments)}: {done.stdout}{done.stderr}")
    return done.stdout.strip()
