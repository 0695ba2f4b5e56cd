"""Which models are served."""

from pathlib import Path

import pytest
from tests import models, remote

from oxlo.catalogue import Catalogue, Model
from oxlo.errors import ModelNotFound
from oxlo.fleet.starter import STARTER, chosen, least, wanted
from oxlo.settings import Settings, SettingsError


def model(model_id: str) -> Model:
    return models.model(model_id, abilities=frozenset(), context_length=1)


KNOWN = Catalogue(map(model, {"other", *(name for names in STARTER.values() for name in names)}))


def test_starter_sets(tmp_path: Path) -> None:
    """A chat and an embedding model; more; or none."""
    assert chosen(Settings(home=tmp_path), KNOWN) == ("smollm2-135m", "minilm-l6")
    assert "qwen2.5-coder-0.5b" in chosen(Settings(home=tmp_path, starter="full"), KNOWN)
    assert chosen(Settings(home=tmp_path, starter="none"), KNOWN) == ()


def test_named_models_win(tmp_path: Path) -> None:
    """OXLO_MODELS takes aliases too, and no name is served twice."""
    settings = Settings(home=tmp_path, models=("other", "Other"))
    assert chosen(settings, KNOWN) == ("other",)


def test_unknown_name(tmp_path: Path) -> None:
    """A name that the catalogue lacks is an error with suggestions."""
    with pytest.raises(ModelNotFound, match="smollm2-135m"):
        chosen(Settings(home=tmp_path, models=("smollm-135m",)), KNOWN)


def test_wishes_for_engines(tmp_path: Path) -> None:
    """OXLO_REPLICAS names models and numbers; what is no number is told."""
    wish = Settings(home=tmp_path, replicas=("Other=3",))
    assert wanted(wish, KNOWN) == {"other": 3}
    for wrong in ("other", "other=", "other=0", "other=many"):
        with pytest.raises(SettingsError, match="takes MODEL=NUMBER"):
            wanted(Settings(home=tmp_path, replicas=(wrong,)), KNOWN)


def test_least_engines(tmp_path: Path) -> None:
    """OXLO_MIN_REPLICAS is read as OXLO_REPLICAS is, and named in what it gets wrong."""
    assert least(Settings(home=tmp_path, min_replicas=("Other=2",)), KNOWN) == {"other": 2}
    with pytest.raises(SettingsError, match="OXLO_MIN_REPLICAS='other=0'"):
        least(Settings(home=tmp_path, min_replicas=("other=0",)), KNOWN)


def test_remotes_of_the_operator(tmp_path: Path) -> None:
    """A model file with a remote variant is served without being named."""
    remote.write(tmp_path, "cloud", "http://127.0.0.1:1")
    assert chosen(Settings(home=tmp_path, starter="none"), KNOWN) == ("cloud",)
