"""Nothing on a page asks for words to be run as a program: the security policy would refuse it."""

import re
from pathlib import Path

import pytest

import oxlo.portal

TEMPLATES = sorted((Path(oxlo.portal.__file__).parent / "templates").rglob("*.html"))
#: What makes htmx evaluate words: handlers in attributes, `js:` values, and filters of triggers.
EVALUATED = re.compile(r"""hx-on|\bon[a-z]+="|hx-vars|="js:|="javascript:|hx-trigger="[^"]*\[""")


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_templates_evaluate_nothing(template: Path) -> None:
    """No handler in an attribute, no computed value, no condition of a trigger."""
    assert not EVALUATED.search(template.read_text())
