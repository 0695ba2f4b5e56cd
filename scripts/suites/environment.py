"""A separate virtual environment for each suite's dependencies."""

import os
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path


class Environment:
    """A folder with a virtual environment, reused between runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "venv" / "bin" / "python"

    def install(self, *packages: str) -> None:
        """Install packages with their dependencies, once."""
        done = self.folder / "installed"
        if done.exists() and done.read_text() == "\n".join(packages):
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        print(f"Installing {', '.join(packages)} in {self.folder} ...", flush=True)
        run_program([sys.executable, "-m", "venv", self.folder / "venv"])
        run_program([self.python, "-m", "pip", "install", "--quiet", *packages])
        done.write_text("\n".join(packages))

    def source(self, package: str) -> Path:
        """Download and unpack a package's latest source distribution."""
        folder = self.folder / "source"
        if not folder.exists():
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
            run_program([*pip, "--no-binary", package, "--dest", self.folder, package])
            archive = max(self.folder.glob("*.tar.gz"))
            with tarfile.open(archive) as packed:
                packed.extractall(folder, filter="data")
        return next(folder.iterdir())

    def version(self, package: str) -> str:
        """Return the version of an installed package."""
        ask = f"import importlib.metadata as m; print(m.version({package!r}))"
        return subprocess.check_output([self.python, "-c", ask], text=True).strip()

    def call(self, arguments: Sequence[str | Path], cwd: Path, **environ: str) -> str:
        """Run a module and return its output. Failures of a suite are not errors."""
        return said([self.python, "-m", *arguments], cwd, environ)


def run_program(command: Sequence[str | Path], cwd: Path | None = None) -> None:
    """Run a program. Raises CalledProcessError if it fails."""
    subprocess.run(command, cwd=cwd, check=True)


def said(command: Sequence[str | Path], cwd: Path, environ: Mapping[str, str]) -> str:
    """Return a program's output, whatever its exit status."""
    ended = subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | dict(environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return ended.stdout
