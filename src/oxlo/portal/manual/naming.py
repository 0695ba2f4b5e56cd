"""Which models the examples name: where those that are written are not ready, others. Pure."""

from collections.abc import Mapping

from oxlo.catalogue import Catalogue
from oxlo.portal.readiness import Readiness

#: The models that the files name, and what they are to do.
WRITTEN = {
    "smollm2-135m": "chat",
    "minilm-l6": "embeddings",
    "tiny-scenes": "images",
    "tiny-sight": "vision",
    "kokoro-82m": "speech",
    "whisper-base": "transcription",
    "centernet-mobilenetv3": "detection",
    "deepseek-r1-8b": "reasoning",
}
#: Pages whose examples are to be run here; elsewhere the names are what the text is about.
_RUNNABLE = ("quickstart", "authentication", "integrations", "migration", "api/", "api-reference")

#: (written, ready here) pairs.
Names = tuple[tuple[str, str], ...]


def stand_ins(slug: str, catalogue: Catalogue, readiness: Readiness) -> Names:
    """What to write instead on a page; nothing where a written model is ready, or none is."""
    if not slug.startswith(_RUNNABLE):
        return ()
    ready = _first_ready(catalogue, readiness)
    return tuple(
        (written, ready[ability])
        for written, ability in WRITTEN.items()
        if readiness.state(written) != "ready" and ability in ready
    )


def _first_ready(catalogue: Catalogue, readiness: Readiness) -> Mapping[str, str]:
    """A ready model for each ability."""
    found: dict[str, str] = {}
    for model in catalogue:
        if readiness.state(model.id) == "ready":
            for ability in model.abilities:
                found.setdefault(ability, model.id)
    return found


def renamed(text: str, names: Names) -> str:
    """The text with other models in it."""
    for written, here in names:
        text = text.replace(written, here)
    return text
