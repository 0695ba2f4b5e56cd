"""Modes of the playground, and the models that are served for each."""

from collections.abc import Iterable
from typing import NamedTuple

from oxlo.catalogue import Catalogue, Model
from oxlo.portal.readiness import Readiness, State


class Mode(NamedTuple):
    """A way to use a model, with a pane."""

    id: str
    name: str
    #: Required ability of the model.
    ability: str
    #: One-sentence introduction.
    intro: str
    #: Sample prompts.
    samples: tuple[str, ...] = ()

    @property
    def pane(self) -> str:
        """Name of its template and script; vision shares the chat's."""
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
    """A served model, and its state."""

    model: Model
    state: State


def offers(known: Catalogue, served: Readiness, mode: Mode) -> list[Offer]:
    """Models of a mode: ready ones first, then by name."""
    served_models = [
        Offer(model, served.state(model.id))
        for model in known
        if mode.ability in model.abilities and served.state(model.id) != "absent"
    ]
    return sorted(served_models, key=lambda offer: (offer.state != "ready", offer.model.name))


def mode_of(model: Model, mode_id: str = "") -> Mode | None:
    """The mode for a model: the requested one if the model supports it."""
    supported = [mode for mode in MODES if mode.ability in model.abilities]
    return next((mode for mode in supported if mode.id == mode_id), next(iter(supported), None))


def by_id(mode_id: str) -> Mode | None:
    """The mode with this id."""
    return next((mode for mode in MODES if mode.id == mode_id), None)


def first(offered: Iterable[list[Offer]]) -> Mode:
    """The default mode: the first with a ready model."""
    by_mode = list(zip(MODES, offered, strict=True))
    ready = [mode for mode, found in by_mode if found and found[0].state == "ready"]
    return next(iter(ready), MODES[0])
