"""Tests in several processes come to what they come to in one."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: A test that ends only when the other file's test runs, too.
MEETING = """
import pathlib, time

def test_meets():
    here = pathlib.Path(__file__).parent
    (here / "{mine}").touch()
    while not (here / "{other}").exists():
        time.sleep(0.01)
"""
PASSING = "def test_first():\n    pass\n\ndef test_second():\n    pass\n"


def run(folder: Path, *options: str, **files: str) -> tuple[int, str]:
    """Run these files of tests in two workers; the exit status, and what is said."""
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-p", "tests.workers", "--workers", "2", *options]
    done = subprocess.run(
        [*command, "--rootdir", folder, "--timeout", "60", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_files_run_at_once(tmp_path: Path) -> None:
    """Two files are run by two processes at the same time, and told of as by one."""
    one, two = (MEETING.format(mine=a, other=b) for a, b in ("ab", "ba"))
    status, said = run(tmp_path, "-v", test_one=one, test_two=two)
    assert status == 0, said
    assert "2 passed" in said
    assert said.count("test_meets PASSED") == 2


def test_failure_is_told(tmp_path: Path) -> None:
    """What fails in a worker fails the run, with what the test has printed."""
    failing = "def test_fails():\n    print('words')\n    assert 1 == 2\n"
    status, said = run(tmp_path, test_one=failing, test_two=PASSING)
    assert status == 1
    assert "assert 1 == 2" in said
    assert "words" in said
    assert "1 failed, 2 passed" in said


def test_first_failure_ends_the_run(tmp_path: Path) -> None:
    """With `-x` no further file is begun."""
    files = {f"test_{number}": "def test_fails():\n    assert False\n" for number in range(9)}
    status, said = run(tmp_path, "-x", **files)
    assert status == 1
    assert "stopping after" in said
    assert "9 failed" not in said


def test_dead_worker_is_told(tmp_path: Path) -> None:
    """A worker that dies fails the run, which names what it has not run."""
    dying = "import os\n\ndef test_dies():\n    os._exit(0)\n"
    status, said = run(tmp_path, test_one=dying, test_two=PASSING)
    assert status == 1
    assert "a worker died" in said
    assert "test_dies" in said
