"""The fields of a form, from what a model's parameters are published as."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from oxlo.catalogue import Model
from oxlo.catalogue.parameters import describe

#: Parameters that a pane has better controls for, or decides itself.
_ELSEWHERE = {
    "chat": {"stream", "stream_options", "n", "tools", "response_format", "max_completion_tokens"},
    "images": {"response_format", "stream", "partial_images"},
    "speech": {"stream_format"},
    "transcription": {"stream", "timestamp_granularities"},
    "embeddings": {"encoding_format"},
    "detection": {"annotated"},
}
#: They are of use only where an image is sent along.
_OF_EDITS = {"strength"}


class Control(NamedTuple):
    """One field."""

    name: str
    #: number, whole, choice, yesno, lines, json or text.
    kind: str
    about: str
    default: str
    low: str
    high: str
    step: str
    choices: tuple[str, ...]

    @property
    def placeholder(self) -> str:
        """What an empty field stands for."""
        return self.default or "the model's own"


class Controls(NamedTuple):
    """The fields of a model, in their two sections."""

    basic: list[Control]
    advanced: list[Control]


def controls(model: Model, mode: str) -> Controls:
    """What can be set, as `/v1/models/{id}/parameters` publishes it."""
    published: Mapping[str, Any] = describe(model)["parameters"]  # type: ignore[assignment]
    hidden = _ELSEWHERE.get(mode, set())
    if "image_edits" not in model.abilities:
        hidden = hidden | _OF_EDITS
    sections: dict[str, list[Control]] = {"basic": [], "advanced": []}
    for name, about in published.items():
        if name not in hidden:
            sections[about["section"]].append(_control(name, about))
    return Controls(**sections)


def _control(name: str, about: Mapping[str, Any]) -> Control:
    return Control(
        name=name,
        kind=_kind(about),
        about=about["description"],
        default=_text(about["default"]),
        low=_text(about["min"]),
        high=_text(about["max"]),
        step=_step(about),
        choices=tuple(about.get("choices", ())),
    )


def _kind(about: Mapping[str, Any]) -> str:
    if about.get("choices"):
        return "choice"
    kinds = {"int": "whole", "float": "number", "bool": "yesno", "array": "lines"}
    return {**kinds, "object": "json"}.get(about["type"], "text")


def _step(about: Mapping[str, Any]) -> str:
    if about["type"] == "int" and about.get("step") == 1:
        return "1"
    return "any"  # a step is where a slider halts, not what the API takes


def _text(value: object) -> str:
    if value is None or value == "":
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
