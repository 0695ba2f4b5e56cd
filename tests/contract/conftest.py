"""The whole platform, started as a user starts it, with a real model behind it."""

import contextlib
import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import openai
import pytest
from tests import logs, processes
from tests.certain import certain
from tests.contract.strict import StrictOpenAI
from tests.ports import free_port
from tests.waiting import clear_of_midnight


@dataclass
class Served:
    """A running platform."""

    base_url: str
    key: str
    home: Path

    def cli(self, *args: str) -> str:
        """Run an `oxlo` command on this installation; its standard output."""
        command = [sys.executable, "-m", "oxlo", *args]
        port = self.base_url.removesuffix("/v1").rpartition(":")[2]
        environ = os.environ | {"OXLO_HOME": str(self.home), "OXLO_PORT": port}
        run = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
        return run.stdout.strip()

    def used_today(self, key: str = "") -> int:
        """Requests of the day's window: the operator's, or those of a key's account."""
        request = urllib.request.Request(f"{self.base_url}/limits")
        request.add_header("Authorization", f"Bearer {key or self.key}")
        with urllib.request.urlopen(request) as reply:
            return int(json.load(reply)["day"]["used"])

    def new_key(self, account: str, plan: str) -> str:
        """A key of a new account on a plan."""
        self.cli("accounts", "create", account, "--plan", plan)
        return self.cli("keys", "create", "--account", account, "--quiet")


@pytest.fixture(autouse=True)
def one_day() -> None:
    """What is counted by the day is not counted over midnight."""
    clear_of_midnight()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory, starter: Path) -> Iterator[Served]:
    """`oxlo serve` with the starter models; their weights come from the test cache."""
    with serving(tmp_path_factory.mktemp("home"), starter) as platform:
        yield platform


@contextlib.contextmanager
def serving(home: Path, weights: Path, **settings: str) -> Iterator[Served]:
    """`oxlo serve` on a new home, until the end; llama.cpp's threads would wait by spinning."""
    (home / "weights").symlink_to(weights)
    certain(home)
    own = {"OXLO_HOME": str(home), "OXLO_PORT": str(free_port()), "OXLO_LLAMACPP_THREADS": "1"}
    environ = os.environ | own | settings
    command = [sys.executable, "-m", "oxlo", "serve"]
    started = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True)
    with logs.shown(home), processes.ending(started) as process:
        base_url, key = _read_start(process)
        _lift_limits(home, environ)
        yield Served(base_url, key, home)


def _read_start(process: "subprocess.Popen[str]") -> tuple[str, str]:
    output = ""
    assert process.stdout is not None
    for line in process.stdout:
        output += line
        base = re.search(r"^Base URL: (\S+)", output, re.MULTILINE)
        key = re.search(r"^API key: (\S+)", output, re.MULTILINE)
        if base and key:
            return base[1], key[1]
    raise AssertionError(f"oxlo serve ended early:\n{output}")


def _lift_limits(home: Path, environ: dict[str, str]) -> None:
    """The suite makes more requests than Premium's hundred a minute."""
    command = [sys.executable, "-m", "oxlo", "accounts", "set-plan", "operator", "enterprise"]
    subprocess.run(command, env=environ, check=True, capture_output=True)


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[openai.OpenAI]:
    """The OpenAI SDK with base URL and key changed, which accepts only what its types declare."""
    with StrictOpenAI(base_url=served.base_url, api_key=served.key, max_retries=0) as sdk:
        yield sdk
