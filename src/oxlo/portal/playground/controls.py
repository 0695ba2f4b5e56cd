"""Form fields generated from a model's published parameters."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from oxlo.catalogue import Model
from oxlo.catalogue.parameters import describe

#: Parameters that a pane has its own controls for, or sets itself.
_HIDDEN = {
    "chat": {"stream", "stream_options", "n", "tools", "response_format", "max_completion_tokens"},
    "images": {"response_format", "stream", "partial_images"},
    "speech": {"stream_format"},
    "transcription": {"stream", "timestamp_granularities"},
    "embeddings": {"encoding_format"},
    "detection": {"annotated"},
}
#: Parameters of image edits only.
_EDITS_ONLY = {"strength"}


class Control(NamedTuple):
    """A form field."""

    name: str
    #: number, whole, choice, yesno, lines, json or text.
    kind: str
    description: str
    default: str
    low: str
    high: str
    step: str
    choices: tuple[str, ...]

    @property
    def placeholder(self) -> str:
        """Placeholder of an empty field."""
        return self.default or "the model's own"


class Controls(NamedTuple):
    """A model's form fields by section."""

    basic: list[Control]
    advanced: list[Control]


def controls(model: Model, mode: str) -> Controls:
    """The form fields for a model's parameters, from `/v1/models/{id}/parameters`."""
    published: Mapping[str, Any] = describe(model)["parameters"]  # type: ignore[assignment]
    hidden = _HIDDEN.get(mode, set())
    if "image_edits" not in model.abilities:
        hidden = hidden | _EDITS_ONLY
    sections: dict[str, list[Control]] = {"basic": [], "advanced": []}
    for name, spec in published.items():
        if name not in hidden:
            sections[spec["section"]].append(_control(name, spec))
    return Controls(**sections)


def _control(name: str, spec: Mapping[str, Any]) -> Control:
    return Control(
        name=name,
        kind=_kind(spec),
        description=spec["description"],
        default=_text(spec["default"]),
        low=_text(spec["min"]),
        high=_text(spec["max"]),
        step=_step(spec),
        choices=tuple(spec.get("choices", ())),
    )


def _kind(spec: Mapping[str, Any]) -> str:
    if spec.get("choices"):
        return "choice"
    kinds = {"int": "whole", "float": "number", "bool": "yesno", "array": "lines"}
    return {**kinds, "object": "json"}.get(spec["type"], "text")


def _step(spec: Mapping[str, Any]) -> str:
    if spec["type"] == "int" and spec.get("step") == 1:
        return "1"
    return "any"  # other steps are for sliders; the API accepts values between them


def _text(value: object) -> str:
    if value is None or value == "":
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
