"""Replaces model names in examples by models that are ready here. Pure."""

from collections.abc import Mapping

from oxlo.catalogue import Catalogue
from oxlo.portal.readiness import Readiness

#: Models named in the documentation, and the ability that the example needs.
DOCUMENTED = {
    "smollm2-135m": "chat",
    "minilm-l6": "embeddings",
    "tiny-scenes": "images",
    "tiny-sight": "vision",
    "kokoro-82m": "speech",
    "whisper-base": "transcription",
    "centernet-mobilenetv3": "detection",
    "deepseek-r1-8b": "reasoning",
}
#: Pages with runnable examples; on other pages the text is about the named model itself.
_RUNNABLE = ("quickstart", "authentication", "integrations", "migration", "api/", "api-reference")

#: (name in the file, replacement) pairs.
Names = tuple[tuple[str, str], ...]


def replacements(slug: str, catalogue: Catalogue, readiness: Readiness) -> Names:
    """Replacements for a page; empty if the named models are ready or no others are."""
    if not slug.startswith(_RUNNABLE):
        return ()
    ready = _first_ready(catalogue, readiness)
    return tuple(
        (documented, ready[ability])
        for documented, ability in DOCUMENTED.items()
        if readiness.state(documented) != "ready" and ability in ready
    )


def _first_ready(catalogue: Catalogue, readiness: Readiness) -> Mapping[str, str]:
    """A ready model for each ability."""
    by_ability: dict[str, str] = {}
    for model in catalogue:
        if readiness.state(model.id) == "ready":
            for ability in model.abilities:
                by_ability.setdefault(ability, model.id)
    return by_ability


def replace_models(text: str, names: Names) -> str:
    """Replace model names in a text."""
    for documented, replacement in names:
        text = text.replace(documented, replacement)
    return text
