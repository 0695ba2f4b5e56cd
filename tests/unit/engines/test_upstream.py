"""Engines that somebody else runs."""

from pathlib import Path

import pytest
from tests import models

from oxlo.catalogue import Variant
from oxlo.engines.base import CannotLaunch, EngineSpec, Launch
from oxlo.engines.upstream import Upstream, root
from oxlo.hardware.sizing import Machine
from oxlo.settings import Settings

MODEL = models.model(abilities=("chat", "tools"), context_length=4096)


def launch(tmp_path: Path, **args: object) -> Launch:
    variant = Variant(hardware="remote", engine="upstream", args=args)
    return Upstream().launch(EngineSpec(MODEL, variant, Settings(home=tmp_path), (), Machine(1, 1)))


@pytest.mark.parametrize("url", ["http://h:1/v1", "http://h:1/v1/", "http://h:1", "http://h:1/"])
def test_v1_is_optional(url: str) -> None:
    """A base URL may end in /v1 or not."""
    assert root(url) == "http://h:1"


def test_key_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key is read from the variable that the model file names, and is not logged."""
    monkeypatch.setenv("ACME_KEY", " secret ")
    found = launch(tmp_path, base_url="https://acme.test/api/v1", api_key_env="ACME_KEY")
    assert (found.address, found.api_key) == ("https://acme.test/api", "secret")
    assert "secret" not in str(found.arguments)


@pytest.mark.parametrize("address", ["http://[::1]:8000", "http://a_b."])
def test_addresses(tmp_path: Path, address: str) -> None:
    """Whatever can be connected to is taken as it is."""
    assert launch(tmp_path, base_url=f"{address}/v1").address == address


def test_missing_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator learns which variable is not set."""
    monkeypatch.delenv("ACME_KEY", raising=False)
    with pytest.raises(CannotLaunch, match="ACME_KEY"):
        launch(tmp_path, base_url="https://acme.test", api_key_env="ACME_KEY")


@pytest.mark.parametrize(
    "args",
    [
        {},
        {"base_url": "acme.test"},
        {"base_url": "http:///v1"},
        {"base_url": "http://acme..test/v1"},
        {"base_url": "http://acme.test:80000"},
        {"base_url": "http://acme.test:8O00"},
        {"base_url": "http://[::1/v1"},
        {"base_url": "http://x", "dialect": "klingon"},
        {"base_url": "http://x", "slots": "many"},
        {"base_url": "http://x", "speed": 1},
    ],
)
def test_bad_args(tmp_path: Path, args: dict[str, object]) -> None:
    """A wrong argument is named, not ignored."""
    with pytest.raises(CannotLaunch):
        launch(tmp_path, **args)


def test_arguments_are_shown(tmp_path: Path) -> None:
    """Defaults are in the record that is logged at the start."""
    found = launch(tmp_path, base_url="http://x")
    assert found.arguments["slots"] == found.slots == 16
    assert (found.engine_model, found.dialect, found.argv) == ("m", "openai", ())
