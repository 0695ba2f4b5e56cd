"""Request parameters by ability: one TOML file per endpoint."""

import functools
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from oxlo.catalogue.model import Parameter

#: The file of each ability's parameters; other abilities have none.
_FILES = {
    "chat": ("chat",),
    "completions": ("chat",),
    "embeddings": ("embeddings",),
    "images": ("images",),
    "image_edits": ("images", "image_edits"),
    "transcription": ("transcription",),
    "translation": ("transcription",),
    "speech": ("speech",),
    "detection": ("detection",),
}
#: Parameters that only apply to models with an ability.
_NEEDS = {
    "tools": "tools",
    "tool_choice": "tools",
    "parallel_tool_calls": "tools",
    "response_format": "json",
    "logprobs": "logprobs",
    "top_logprobs": "logprobs",
    "reasoning_effort": "reasoning",
}


def shared(abilities: Iterable[str]) -> Mapping[str, Parameter]:
    """The parameters of models with these abilities."""
    return _parameters(frozenset(abilities))


def said(abilities: Iterable[str]) -> Mapping[str, dict[str, Any]]:
    """As `shared`, undecoded."""
    return _said(frozenset(abilities))


@functools.cache
def _parameters(abilities: frozenset[str]) -> Mapping[str, Parameter]:
    return msgspec.convert(_said(abilities), dict[str, Parameter])


@functools.cache
def _said(abilities: frozenset[str]) -> Mapping[str, dict[str, Any]]:
    names = sorted({name for ability in abilities for name in _FILES.get(ability, ())})
    return {
        parameter: values
        for name in names
        for parameter, values in _file(name).items()
        if name != "chat" or _NEEDS.get(parameter) in (None, *abilities)
    }


@functools.cache
def _file(name: str) -> Mapping[str, dict[str, Any]]:
    return tomllib.loads(Path(__file__).with_name(f"{name}.toml").read_text())
