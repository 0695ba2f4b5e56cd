"""A bench that is killed leaves none of its processes behind."""

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest
from tests.processes import ending
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
#: Starts a shell that has a child, as `Process` starts all that benches measure, and stays.
BENCH = """
import sys
from pathlib import Path
from bench.processes import Process
shell = Process(["sh", "-c", "sleep 600 & echo $!; wait"], Path(sys.argv[1]), None)
shell.wait_for_text()
print(*shell.tree(), flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="benches are for Linux")
def test_killed_bench_leaves_no_process(tmp_path: Path) -> None:
    """SIGKILL of a bench ends what it started, and their children."""
    command = [sys.executable, "-c", BENCH, str(tmp_path / "log")]
    pipe = subprocess.PIPE
    with ending(subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe)) as bench:
        assert bench.stdout is not None
        left = [os.pidfd_open(int(pid)) for pid in bench.stdout.readline().split()]
        assert len(left) == 2
        bench.kill()
    for fd in left:
        assert select.select([fd], [], [], PATIENCE)[0], "it still runs"
        os.close(fd)
