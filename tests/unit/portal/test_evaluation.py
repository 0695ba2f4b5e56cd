"""Templates use no htmx feature that evaluates code, which the CSP would block."""

import re
from pathlib import Path

import pytest

import oxlo.portal

TEMPLATES = sorted((Path(oxlo.portal.__file__).parent / "templates").rglob("*.html"))
#: What makes htmx evaluate words: handlers in attributes, `js:` values, and filters of triggers.
EVALUATED = re.compile(r"""hx-on|\bon[a-z]+="|hx-vars|="js:|="javascript:|hx-trigger="[^"]*\[""")


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_templates_evaluate_nothing(template: Path) -> None:
    """No inline handlers, `js:` values or trigger filters."""
    assert not EVALUATED.search(template.read_text())
