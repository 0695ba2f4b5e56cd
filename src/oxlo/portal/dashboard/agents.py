"""Browser names from User-Agent headers."""

import re

# Most User-Agents name several browsers: the first match in this order is the real one.
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
_MAX_LENGTH = 60


def browser_name(agent: str) -> str:
    """Name a browser: `Firefox 140 on Linux`; an unknown User-Agent is returned as it is."""
    browser = next((f"{n} {m[1]}" for n, p in _BROWSERS if (m := p.search(agent))), "")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    if not browser:
        return agent[:_MAX_LENGTH] or "unknown"
    return f"{browser} on {system}" if system else browser
