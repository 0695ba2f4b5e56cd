"""The programs that show how a model is called: the start-up print, the docs and the portal."""

import re
from collections.abc import Collection, Iterable
from functools import cache
from pathlib import Path
from typing import Literal, get_args

__all__ = ["CATEGORIES", "LANGUAGES", "Category", "Language", "for_abilities", "program", "render"]

Language = Literal["python", "node", "curl"]
Category = Literal[
    "chat",
    "streaming",
    "vision",
    "tools",
    "json",
    "embeddings",
    "images",
    "speech",
    "transcription",
    "detection",
]
LANGUAGES: tuple[Language, ...] = get_args(Language)
#: In the order in which pages show them.
CATEGORIES: tuple[Category, ...] = get_args(Category)

_TEMPLATES = Path(__file__).with_name("templates")
#: Nothing that would end a string of a program, or that a shell would run.
_SAFE = re.compile(r"[\w.:/@%+,=?$~\-\[\]]+")
#: The model's ability that a category needs, where the two differ in name.
_NEEDS: dict[str, str] = {"streaming": "chat"}


def render(category: Category, language: Language, base_url: str, key: str, model: str) -> str:
    """A whole program that calls the model; `base_url` ends in `/v1`.

    It reads `photo.jpg` or `speech.mp3` where it needs a file; what speech writes, transcription
    reads. Raises ValueError where a value would not stay the string that it is put into.
    """
    values = {"base_url": base_url, "key": key, "model": model}
    for name, value in values.items():
        if not _SAFE.fullmatch(value):
            raise ValueError(f"{name} cannot stand in a program: {value!r}")
    text = _template(category, language)
    return re.sub(r"\{(base_url|key|model)\}", lambda found: values[found[1]], text)


def program(calls: Iterable[tuple[Category, str]], base_url: str, key: str) -> str:
    """One Python program that makes several calls, each to its model, with one client."""
    lines: dict[str, None] = {}
    bodies = []
    for category, model in calls:
        text = render(category, "python", base_url, key, model)
        head, client, body = re.split(r"^(client = .*\n)", text, flags=re.MULTILINE)
        lines |= dict.fromkeys([*head.splitlines(), client.strip()])
        bodies.append(body.strip())
    own = sorted(line for line in lines if line.startswith("import "))
    others = [line for line in lines if line and line not in own]
    return "\n\n".join(filter(None, ["\n".join(own), *others, *bodies])) + "\n"


def for_abilities(abilities: Collection[str]) -> tuple[Category, ...]:
    """The categories that a model with these abilities answers."""
    return tuple(c for c in CATEGORIES if _NEEDS.get(c, c) in abilities)


@cache
def _template(category: Category, language: Language) -> str:
    return (_TEMPLATES / language / f"{category}.txt").read_text()
