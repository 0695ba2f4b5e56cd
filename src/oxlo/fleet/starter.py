"""Which models an installation serves when nobody says which."""

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
    """Ids of the models to serve: those named, else the starter set; and the operator's remotes.

    Raises ModelNotFound for a name that the catalogue lacks.
    """
    named = settings.models or STARTER[settings.starter]
    ids = [known.resolve(name).id for name in named]
    return tuple(dict.fromkeys([*ids, *_remotes(settings)]))


def wished(settings: Settings, known: Catalogue) -> dict[str, int]:
    """How many engines of which models `OXLO_REPLICAS` asks for.

    Raises ModelNotFound for a name that the catalogue lacks, SettingsError for no number.
    """
    return dict(_wish(text, known, "OXLO_REPLICAS") for text in settings.replicas)


def least(settings: Settings, known: Catalogue) -> dict[str, int]:
    """How many engines of which models have to be ready, as `OXLO_MIN_REPLICAS` says.

    Raises as `wished` does.
    """
    return dict(_wish(text, known, "OXLO_MIN_REPLICAS") for text in settings.min_replicas)


def _wish(text: str, known: Catalogue, setting: str) -> tuple[str, int]:
    name, _, number = text.rpartition("=")
    if not name or not number.isdecimal() or not int(number):
        raise SettingsError(f"{setting}={text!r}: takes MODEL=NUMBER, from 1 up")
    return known.resolve(name.strip()).id, int(number)


def _remotes(settings: Settings) -> list[str]:
    files = sorted(settings.catalogue_dir.glob("*.toml"))
    models = [catalogue.read(path) for path in files]
    return [m.id for m in models if any(v.hardware == "remote" for v in m.variants)]
