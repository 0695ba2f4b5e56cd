"""What can be tried, and with which of the models that are served here."""

from collections.abc import Iterable
from typing import NamedTuple

from oxlo.catalogue import Catalogue, Model
from oxlo.portal.readiness import Readiness, State


class Mode(NamedTuple):
    """One way to use a model, with a pane of its own."""

    id: str
    name: str
    #: The ability that a model needs for it.
    ability: str
    #: A sentence for those who see it for the first time.
    intro: str
    #: What there is to begin with.
    samples: tuple[str, ...] = ()

    @property
    def pane(self) -> str:
        """Whose template and script it has: to ask about pictures is to chat."""
        return "chat" if self.id == "vision" else self.id


MODES = (
    Mode(
        "chat",
        "Chat",
        "chat",
        "Talk with a model; its answer is streamed.",
        (
            "Explain recursion to a gardener, in three sentences.",
            "Write a regular expression for dates such as 2026-11-24.",
        ),
    ),
    Mode(
        "vision",
        "Vision",
        "vision",
        "Ask about pictures.",
        ("What is in this picture?", "Write down the text that you see."),
    ),
    Mode("images", "Images", "images", "Make images from words, or from an image and words."),
    Mode("speech", "Speech", "speech", "Have a text read aloud."),
    Mode("transcription", "Transcription", "transcription", "Turn a recording into text."),
    Mode("embeddings", "Embeddings", "embeddings", "See how close texts are in meaning."),
    Mode("detection", "Detection", "detection", "Detect objects in an image."),
)


class Offer(NamedTuple):
    """A model that is served here, and whether it answers now."""

    model: Model
    state: State


def offers(known: Catalogue, served: Readiness, mode: Mode) -> list[Offer]:
    """The models of a mode: those that answer now first, then by name."""
    found = [
        Offer(model, served.state(model.id))
        for model in known
        if mode.ability in model.abilities and served.state(model.id) != "absent"
    ]
    return sorted(found, key=lambda offer: (offer.state != "ready", offer.model.name))


def mode_of(model: Model, asked: str = "") -> Mode | None:
    """The mode in which a model is shown: the one that was asked for where it can do that."""
    able = [mode for mode in MODES if mode.ability in model.abilities]
    return next((mode for mode in able if mode.id == asked), next(iter(able), None))


def named(asked: str) -> Mode | None:
    """The mode of this id."""
    return next((mode for mode in MODES if mode.id == asked), None)


def first(offered: Iterable[list[Offer]]) -> Mode:
    """The mode to begin with: the first in which a model answers."""
    pairs = list(zip(MODES, offered, strict=True))
    answering = [mode for mode, found in pairs if found and found[0].state == "ready"]
    return next(iter(answering), MODES[0])
