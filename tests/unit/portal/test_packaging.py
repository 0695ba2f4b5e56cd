"""The built package contains pages, styles and the documentation."""

import os
import subprocess
import sys
from pathlib import Path

from oxlo.portal.assets import FOLDER
from oxlo.portal.manual.library import Library

ROOT = Path(__file__).parents[3]


def test_the_package_has_its_pages(tmp_path: Path) -> None:
    """It has every template, asset and documentation page."""
    build = [sys.executable, "setup.py", "-q", "build_py", "--build-lib", str(tmp_path)]
    environment = os.environ | {"OXLO_COMPILE": "0"}
    subprocess.run(build, cwd=ROOT, env=environment, check=True, capture_output=True)
    built = tmp_path / "oxlo" / "portal"
    for folder in ("templates", "static"):
        names = {path.name for path in (FOLDER.parent / folder).rglob("*")}
        assert names == {path.name for path in (built / folder).rglob("*")}
    packaged = Library(built / "manual" / "files", "http://x")
    assert packaged.pages.keys() == Library.here("http://x").pages.keys()
    assert (built / "manual" / "files" / "docs" / "models" / "tiny-scenes.png").is_file()
