"""What this machine or its container allows."""

from pathlib import Path

from oxlo.hardware import machine
from oxlo.hardware.sizing import Machine


def test_container_limits_win(tmp_path: Path) -> None:
    """A quota of half a second a second is one core; memory is the container's."""
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    (tmp_path / "memory.max").write_text(f"{512 * 2**20}\n")
    assert machine.here(cgroup=tmp_path) == Machine(cores=1, memory_mb=512)


def test_no_limits(tmp_path: Path) -> None:
    """Without limits (or cgroups at all) the machine itself counts."""
    bare = machine.here(cgroup=tmp_path)
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.here(cgroup=tmp_path) == bare
    assert bare.cores >= 1
    assert bare.memory_mb > 100
