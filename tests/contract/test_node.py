"""The OpenAI Node SDK and the Vercel AI SDK against the real platform."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.contract.conftest import Served

pytestmark = pytest.mark.engine

HERE = Path(__file__).with_name("node")


needs_node = pytest.mark.skipif(
    shutil.which("node") is None or not (HERE / "node_modules").is_dir(),
    reason="needs Node 20 and `npm ci` in tests/contract/node (`make test` runs it)",
)


@needs_node
@pytest.mark.parametrize("name", ["chat", "embeddings", "aisdk"])
def test_node_sdk(served: Served, name: str) -> None:
    """Every Node test passes."""
    run_node(served, name)


def run_node(served: Served, name: str) -> None:
    """Run one file of Node tests."""
    environ = os.environ | {"OXLO_BASE_URL": served.base_url, "OXLO_API_KEY": served.key}
    run = subprocess.run(
        ["node", "--test", "--test-reporter=spec", f"{name}.test.mjs"],
        cwd=HERE,
        env=environ,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]
