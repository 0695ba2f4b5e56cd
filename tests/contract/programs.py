"""Runs the programs of docs and pages, as pasted."""

import contextlib
import io
import os
import shutil
import subprocess
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from tests.contract.conftest import Served
from tests.contract.test_node import HERE, needs_node

from oxlo.snippets import LANGUAGES, Category, Language, render

_NEEDS = {
    "node": needs_node,
    "curl": pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl"),
}


def each(*categories: Category) -> pytest.MarkDecorator:
    """Parametrize `category` and `language` by every program of these categories."""
    pairs = product(categories, LANGUAGES)
    marked = [pytest.param(*pair, marks=_NEEDS.get(pair[1], ())) for pair in pairs]
    return pytest.mark.parametrize(("category", "language"), marked)


def run(served: Served, category: Category, language: Language, model: str, folder: Path) -> str:
    """Run a program in the folder and return its output; a failure fails the test."""
    text = render(category, language, served.base_url, served.key, model)
    if language == "python":
        return _python(text, folder)
    return _node(text, folder) if language == "node" else _curl(text, folder)


def _python(text: str, folder: Path) -> str:
    """Run it in this process, because importing the SDK takes longer than the call."""
    names: dict[str, Any] = {}
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(text, "snippet.py", "exec"), names)
    names["client"].close()
    return printed.getvalue()


def _node(text: str, folder: Path) -> str:
    (folder / "snippet.mjs").write_text(text)
    modules = folder / "node_modules"
    if not modules.exists():
        modules.symlink_to(HERE / "node_modules")
    return _execute(["node", "snippet.mjs"], folder)


def _curl(text: str, folder: Path) -> str:
    """Run it without curl's progress meter."""
    (folder / "snippet.sh").write_text(text)
    (folder / ".curlrc").write_text("silent\nshow-error\n")
    return _execute(["sh", "snippet.sh"], folder, CURL_HOME=str(folder))


def _execute(command: list[str], folder: Path, **more: str) -> str:
    environ = os.environ | more
    run = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, timeout=100
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return run.stdout
