"""Browsers by name, from what they say of themselves."""

import re

# Most name several: the first of these that stands there is meant.
_BROWSERS = (
    ("Edge", re.compile(r"Edg\w*/(\d+)")),
    ("Opera", re.compile(r"OPR/(\d+)")),
    ("Firefox", re.compile(r"(?:Firefox|FxiOS)/(\d+)")),
    ("Chrome", re.compile(r"(?:Chrome|CriOS|HeadlessChrome)/(\d+)")),
    ("Safari", re.compile(r"Version/(\d+)\S* .*Safari/")),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)
_LONGEST = 60


def named(agent: str) -> str:
    """`Firefox 140 on Linux`; what it is not known by, as it stands."""
    browser = next((f"{n} {m[1]}" for n, p in _BROWSERS if (m := p.search(agent))), "")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    if not browser:
        return agent[:_LONGEST] or "unknown"
    return f"{browser} on {system}" if system else browser
