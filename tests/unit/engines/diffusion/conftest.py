"""Real pipelines with random weights, made once in a process of their own."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def pipelines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `stable_diffusion`, `sdxl` and `flux`."""
    if not all(map(find_spec, ("torch", "diffusers", "transformers"))):
        pytest.skip("needs the extra `images`")
    folder = tmp_path_factory.mktemp("pipelines")
    script = Path(__file__).with_name("pipelines.py")
    subprocess.run([sys.executable, script, folder], check=True, capture_output=True)
    return folder
