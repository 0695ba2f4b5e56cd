"""A place of its own for each suite: what it needs never comes into ours."""

import os
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path


class Environment:
    """A folder with a virtual environment; kept between runs where the folder is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "venv" / "bin" / "python"

    def install(self, *packages: str) -> None:
        """Set up, once, with these packages and what they need."""
        done = self.folder / "installed"
        if done.exists() and done.read_text() == "\n".join(packages):
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        print(f"Installing {', '.join(packages)} in {self.folder} ...", flush=True)
        run_program([sys.executable, "-m", "venv", self.folder / "venv"])
        run_program([self.python, "-m", "pip", "install", "--quiet", *packages])
        done.write_text("\n".join(packages))

    def source(self, package: str) -> Path:
        """The newest source distribution of a package, unpacked."""
        folder = self.folder / "source"
        if not folder.exists():
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
            run_program([*pip, "--no-binary", package, "--dest", self.folder, package])
            archive = max(self.folder.glob("*.tar.gz"))
            with tarfile.open(archive) as packed:
                packed.extractall(folder, filter="data")
        return next(folder.iterdir())

    def version(self, package: str) -> str:
        """The version of an installed package."""
        ask = f"import importlib.metadata as m; print(m.version({package!r}))"
        return subprocess.check_output([self.python, "-c", ask], text=True).strip()

    def call(self, arguments: Sequence[str | Path], cwd: Path, **environ: str) -> str:
        """Run a module of the environment; what it printed. A suite that fails is no error."""
        return said([self.python, "-m", *arguments], cwd, environ)


def run_program(command: Sequence[str | Path], cwd: Path | None = None) -> None:
    """Run a program to its end. Raises CalledProcessError where it fails."""
    subprocess.run(command, cwd=cwd, check=True)


def said(command: Sequence[str | Path], cwd: Path, environ: Mapping[str, str]) -> str:
    """What a program printed, however it ended."""
    ended = subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | dict(environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return ended.stdout
