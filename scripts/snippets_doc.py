"""Generates the programs in docs/api from `oxlo.snippets`: `python scripts/snippets_doc.py`.

Pages mark them with `<!-- programs: CATEGORY MODEL -->` and `<!-- /programs -->`. Languages may
follow the model; the default is all of them.
"""

import re
from pathlib import Path

from oxlo.snippets import LANGUAGES, Category, Language, render

FOLDER = Path(__file__).parent.parent / "docs" / "api"
BASE, KEY = "http://127.0.0.1:8000/v1", "YOUR_API_KEY"

_PLACE = re.compile(
    r"(?<=<!-- programs: )([a-z]+) (\S+)([a-z ]*) -->\n.*?(?=<!-- /programs -->)", re.DOTALL
)
_FENCES: dict[Language, str] = {"python": "python", "node": "javascript", "curl": "bash"}


def page(text: str) -> str:
    """Return the page with its programs regenerated."""
    return _PLACE.sub(_filled, text)


def _filled(match: re.Match[str]) -> str:
    category, model, named = match.groups()
    languages = [one for one in LANGUAGES if not named or one in named.split()]
    blocks = "".join(_block(category, language, model) for language in languages)
    return f"{category} {model}{named} -->\n{blocks}\n"


def _block(category: Category, language: Language, model: str) -> str:
    return f"\n```{_FENCES[language]}\n{render(category, language, BASE, KEY, model)}```\n"


if __name__ == "__main__":
    for path in sorted(FOLDER.glob("*.md")):
        path.write_text(page(path.read_text()))
