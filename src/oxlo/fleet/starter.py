"""The models that an installation serves, and how many engines of each."""

from oxlo import catalogue
from oxlo.catalogue import Catalogue
from oxlo.settings import Settings, SettingsError

STARTER: dict[str, tuple[str, ...]] = {
    "small": ("smollm2-135m", "minilm-l6"),
    "full": (
        "smollm2-135m",
        "qwen2.5-coder-0.5b",
        "minilm-l6",
        "whisper-base",
        "kokoro-82m",
        "centernet-mobilenetv3",
        "tiny-scenes",
        "tiny-sight",
    ),
    "none": (),
}


def chosen(settings: Settings, known: Catalogue) -> tuple[str, ...]:
    """Ids of the models to serve: those named or the starter set, and the operator's remote ones.

    Raises ModelNotFound for an unknown name.
    """
    named = settings.models or STARTER[settings.starter]
    ids = [known.resolve(name).id for name in named]
    return tuple(dict.fromkeys([*ids, *_remotes(settings)]))


def wanted(settings: Settings, known: Catalogue) -> dict[str, int]:
    """Number of engines by model, as `OXLO_REPLICAS` sets it.

    Raises ModelNotFound for an unknown name, SettingsError for an invalid number.
    """
    return dict(_count(text, known, "OXLO_REPLICAS") for text in settings.replicas)


def least(settings: Settings, known: Catalogue) -> dict[str, int]:
    """Minimum of ready engines by model, as `OXLO_MIN_REPLICAS` sets it.

    Raises as `wanted` does.
    """
    return dict(_count(text, known, "OXLO_MIN_REPLICAS") for text in settings.min_replicas)


def _count(text: str, known: Catalogue, setting: str) -> tuple[str, int]:
    name, _, number = text.rpartition("=")
    if not name or not number.isdecimal() or not int(number):
        raise SettingsError(f"{setting}={text!r}: takes MODEL=NUMBER, from 1 up")
    return known.resolve(name.strip()).id, int(number)


def _remotes(settings: Settings) -> list[str]:
    files = sorted(settings.catalogue_dir.glob("*.toml"))
    models = [catalogue.read(path) for path in files]
    return [m.id for m in models if any(v.hardware == "remote" for v in m.variants)]
