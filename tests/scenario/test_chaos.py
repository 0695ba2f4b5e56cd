"""Gateways, Valkey, control and the engine are killed while calls run."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_nothing_is_lost() -> None:
    """What clients saw agrees with the records, and Valkey has counted what the records have."""
    command = [sys.executable, "-m", "bench", "chaos", "--calls", "2000", "--seed", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
