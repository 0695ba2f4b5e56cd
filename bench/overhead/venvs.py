"""Peers from PyPI, each in its own virtual environment."""

import subprocess
import sys
from pathlib import Path

from bench import CACHE
from bench.processes import Failed


def program(name: str, requirement: str, overrides: tuple[str, ...] = ()) -> Path:
    """Return the program `name` of a pinned package, installed on first use. Raises Failed.

    `overrides` replace the package's own pins of dependencies, which some indexes do not have.
    """
    folder = CACHE / f"{name}-{requirement.rpartition('=')[2]}"
    path = folder / "bin" / name
    if not path.exists():
        print(f"installing {requirement} ...", file=sys.stderr)
        _install(folder, requirement, overrides)
    return path


def _install(folder: Path, requirement: str, overrides: tuple[str, ...]) -> None:
    _run([sys.executable, "-m", "venv", folder])
    _run([folder / "bin/pip", "install", "-q", "uv==0.9.11"])
    lifted = folder / "overrides.txt"
    lifted.write_text("\n".join(overrides))
    python = ("--python", folder / "bin/python")
    _run([folder / "bin/uv", "pip", "install", "-q", *python, "--override", lifted, requirement])


def _run(command: list[str | Path]) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"cannot be installed: {' '.join(done.stderr.split())[-200:]}")
