"""Example programs that call a model, for the start-up message, the docs and the portal."""

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
#: In display order.
CATEGORIES: tuple[Category, ...] = get_args(Category)

_TEMPLATES = Path(__file__).with_name("templates")
#: Values that can neither end a string literal nor be expanded by a shell.
_SAFE = re.compile(r"[\w.:/@%+,=?$~\-\[\]]+")
#: Ability that a category requires, if their names differ.
_ABILITY_OF: dict[str, str] = {"streaming": "chat"}


def render(category: Category, language: Language, base_url: str, key: str, model: str) -> str:
    """Render a complete program that calls the model; `base_url` ends in `/v1`.

    Programs that need a file read `photo.jpg` or `speech.mp3`; transcription reads the file that
    speech writes. Raises ValueError if a value could break out of its string literal.
    """
    values = {"base_url": base_url, "key": key, "model": model}
    for name, value in values.items():
        if not _SAFE.fullmatch(value):
            raise ValueError(f"{name} cannot be put into a program: {value!r}")
    text = _template(category, language)
    return re.sub(r"\{(base_url|key|model)\}", lambda found: values[found[1]], text)


def program(calls: Iterable[tuple[Category, str]], base_url: str, key: str) -> str:
    """Render one Python program that makes several requests with one client."""
    lines: dict[str, None] = {}
    bodies = []
    for category, model in calls:
        text = render(category, "python", base_url, key, model)
        head, client, body = re.split(r"^(client = .*\n)", text, flags=re.MULTILINE)
        lines |= dict.fromkeys([*head.splitlines(), client.strip()])
        bodies.append(body.strip())
    imports = sorted(line for line in lines if line.startswith("import "))
    others = [line for line in lines if line and line not in imports]
    return "\n\n".join(filter(None, ["\n".join(imports), *others, *bodies])) + "\n"


def for_abilities(abilities: Collection[str]) -> tuple[Category, ...]:
    """The categories that a model with these abilities supports."""
    return tuple(c for c in CATEGORIES if _ABILITY_OF.get(c, c) in abilities)


@cache
def _template(category: Category, language: Language) -> str:
    return (_TEMPLATES / language / f"{category}.txt").read_text()
