"""The starter's chat model without chance: what a test says of its answers holds each time."""

from importlib import resources
from pathlib import Path

_NAME = "smollm2-135m.toml"


def certain(home: Path) -> None:
    """Let it take the likeliest token in calls that name no temperature."""
    own = home / "models.d"
    own.mkdir(parents=True, exist_ok=True)
    shipped = (resources.files("oxlo.catalogue") / "models" / _NAME).read_text()
    (own / _NAME).write_text(shipped + "\n[parameters.temperature]\ndefault = 0.0\n")
