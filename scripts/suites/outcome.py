"""Results of a suite, read from its runner's report and shown as a table."""

import re
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

_WIDEST = 150
#: Parts of messages that differ between failures with the same cause.
_PASSING = re.compile(r"0x[0-9a-f]+|req_\w+|\b\d+\.\d+\b")


@dataclass
class Outcome:
    """The result of a part of a suite."""

    name: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    #: Number of failures by reason.
    reasons: Counter[str] = field(default_factory=Counter)


def read(report: Path, name: str, printed: str) -> Outcome:
    """Read a JUnit report. Raises SystemExit with the suite's output if it is missing."""
    if not report.exists():
        raise SystemExit(f"{printed}\n{name}: the suite wrote no report.")
    outcome = Outcome(name)
    for case in ET.parse(report).getroot().iter("testcase"):
        said = case.find("failure")
        said = said if said is not None else case.find("error")
        if said is not None:
            outcome.failed += 1
            outcome.reasons[reason((said.get("message") or "").strip() or said.text or "")] += 1
        elif case.find("skipped") is not None:
            outcome.skipped += 1
        else:
            outcome.passed += 1
    return outcome


def reason(words: str) -> str:
    """Return the first line of a failure's message, without its varying parts."""
    line = next((line for line in words.splitlines() if line.strip()), "no reason given")
    return _PASSING.sub("...", " ".join(line.split()))[:_WIDEST]


HEAD = f"{'':44}{'passed':>8}{'failed':>8}{'skipped':>9}"


def shown(one: Outcome) -> str:
    """Format a line of the table, followed by the reasons of failures."""
    line = f"{one.name:44}{one.passed:>8}{one.failed:>8}{one.skipped:>9}"
    reasons = (f"    {count:>3} x {reason}" for reason, count in one.reasons.most_common())
    return "\n".join([line, *reasons])
