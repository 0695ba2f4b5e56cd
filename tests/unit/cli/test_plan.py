"""`oxlo fleet plan`, and that `oxlo fleet` itself is still the process."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from oxlo.cli import app, plan


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home with the shipped models only."""
    monkeypatch.setenv("OXLO_HOME", str(tmp_path))


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["fleet", *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_table() -> None:
    """A line for each card with its models and sums, then those left out, with reasons."""
    code, out, _ = run(
        "plan", "--gpus", "t4=1,a100=2", "--models", "kokoro,sd-v1-5,llama-3.3-70b,glm-5"
    )
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert code == 0
    assert lines[1].startswith("t4 1 kokoro-82m + stable-diffusion-v1.5 1,500 + 4,500 = 6,000 ")
    assert lines[2].startswith("a100 1-2 llama-3.3-70b")
    assert "3 models placed; cards left: none." in out
    assert lines[-1] == "glm-5 runs on h200 only"


def test_json() -> None:
    """For scripts: placements and reasons."""
    code, out, _ = run("plan", "--gpus", "l40s=1", "--models", "gemma-3-4b", "--json")
    assert code == 0
    (placed,) = json.loads(out)["placements"]
    assert (placed["model"], placed["hardware"], placed["cards"]) == ("gemma-3-4b", "l40s", [0])


@pytest.mark.parametrize("gpus", ["h9000=1", "t4", "t4=x", "t4=-1"])
def test_mistakes(gpus: str) -> None:
    """The error is one line, with the valid kinds."""
    code, _, err = run("plan", "--gpus", gpus)
    assert code == 1
    assert "of kinds t4, l40s, a100, h200" in err


def test_counts_add_up() -> None:
    """Spaces and case are ignored; repeated kinds are summed."""
    assert plan.parse(" T4=1, a100=2,t4=3,") == {"t4": 4, "a100": 2}


def test_the_process_is_still_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a command after it, `oxlo fleet` starts the fleet: here it stops at a wrong name."""
    monkeypatch.setenv("OXLO_MODELS", "no-such-model")
    code, _, err = run("--with-parent")
    assert code == 1
    assert err.startswith("oxlo: The model 'no-such-model' does not exist.")
    assert err.endswith("`oxlo models list` lists those that do.\n")
