"""Syntax highlighting: spans with CSS classes, coloured by the stylesheet in both themes."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from markupsafe import Markup, escape
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from oxlo import snippets
from oxlo.catalogue import Model

_FORMATTER = HtmlFormatter(nowrap=True)
#: Placeholder for the API key in programs.
KEY = "YOUR_API_KEY"
_LABELS = {"python": "Python", "node": "Node", "curl": "curl"}
_LEXERS = {"python": "python", "node": "javascript", "curl": "bash"}


class Panel(NamedTuple):
    """A snippet in one language."""

    language: str
    label: str
    html: Markup


@lru_cache(maxsize=2048)
def highlight_code(text: str, language: str) -> Markup:
    """Highlight code as HTML; code in an unknown language is only escaped."""
    try:
        lexer = get_lexer_by_name(language, stripall=False, stripnl=False)
    except ClassNotFound:
        return escape(text)
    return Markup(highlight(text, lexer, _FORMATTER))  # noqa: S704 -- pygments escapes


def panels(category: snippets.Category, base_url: str, model: str) -> Sequence[Panel]:
    """The programs that call a model, in each language; `base_url` is without `/v1`."""
    return [
        Panel(
            language,
            _LABELS[language],
            highlight_code(_program(category, language, base_url, model), _LEXERS[language]),
        )
        for language in snippets.LANGUAGES
    ]


def _program(
    category: snippets.Category, language: snippets.Language, base_url: str, model: str
) -> str:
    return snippets.render(category, language, f"{base_url}/v1", KEY, model).rstrip("\n")


def categories(model: Model) -> tuple[snippets.Category, ...]:
    """Categories of programs that a model supports."""
    return snippets.for_abilities(model.abilities)
