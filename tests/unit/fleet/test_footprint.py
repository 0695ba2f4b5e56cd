"""Memory of a process and its descendants."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from oxlo.fleet.footprint import memory_bytes

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux's smaps_rollup"
)
#: Holds 64 MB, says so, and waits for the end of its input.
HOLDER = "import sys; held = b'x' * (64 << 20); print(len(held), flush=True); sys.stdin.read()"


def test_children_are_included() -> None:
    """Engines may start processes of their own."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout
        assert child.stdout.readline()
        alone, together = memory_bytes(child.pid), memory_bytes(os.getpid())
        child.communicate()
    assert alone
    assert together
    assert 64 << 20 <= alone < together


def test_process_that_ended() -> None:
    """Nothing is known of it."""
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    assert memory_bytes(child.pid) is None
