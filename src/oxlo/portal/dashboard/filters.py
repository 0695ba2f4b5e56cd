"""The filters of the list of requests, as the address has them. Pure."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import urlencode

from oxlo.portal.dashboard.periods import PERIODS, bounds
from oxlo.store.history import Filter, Kinds
from oxlo.store.keys import Key

PATH = "/dashboard/requests"
OUTCOMES = (
    *("answered", "running", "refused", "failed", "abandoned", "cancelled", "timed_out"),
    *("replayed", "lost"),
)
_LONGEST = 200
_DIGITS = 6


class Filters(NamedTuple):
    """What a reader asks for; an empty value asks for nothing."""

    q: str = ""
    model: str = ""
    endpoint: str = ""
    outcome: str = ""
    status: str = ""
    key: str = ""
    days: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Filters":
        """Those of an address; a status or a period that cannot be asks for nothing."""
        asked = cls(*(_word(query.get(name, "")) for name in cls._fields))
        return asked._replace(status=_digits(asked.status), days=_digits(asked.days))

    def only(self, now: float) -> Filter:
        """As the store takes them."""
        return Filter(
            model=self.model or None,
            endpoint=self.endpoint or None,
            outcome=self.outcome or None,
            status=int(self.status) if self.status else None,
            key=self.key or None,
            named=self.q or None,
            since=bounds(int(self.days), now)[0] if self.days else None,
        )

    def query(self, **other: str) -> str:
        """The same as the query of an address, without what asks for nothing."""
        kept = self._asdict() | other
        return urlencode({name: value for name, value in kept.items() if value})

    def address(self, path: str = PATH, **other: str) -> str:
        """The page that shows them, or another path for the same."""
        query = self.query(**other)
        return f"{path}?{query}" if query else path


class Choice(NamedTuple):
    """A field of the form: its name, its label, what an empty one says, and values with words."""

    name: str
    label: str
    every: str
    options: list[tuple[str, str]]


def choices(kinds: Kinds, mine: Iterable[Key]) -> list[Choice]:
    """The fields to choose from, for an account with such calls and keys."""
    shown = [(key.id, f"{key.name} ({key.prefix}…)") for key in mine if not key.hidden]
    return [
        Choice("model", "Model", "All", _same(kinds.models)),
        Choice("endpoint", "Endpoint", "All", _same(kinds.endpoints)),
        Choice("outcome", "Outcome", "All", [(one, one.replace("_", " ")) for one in OUTCOMES]),
        Choice("status", "Status", "All", _same(kinds.statuses)),
        Choice("key", "Key", "All", shown),
        Choice("days", "Period", "Any", list(PERIODS.items())),
    ]


def _same(values: Iterable[object]) -> list[tuple[str, str]]:
    return [(str(value), str(value)) for value in values]


def _word(text: str) -> str:
    """What can be looked for: databases take no control characters."""
    return "".join(filter(str.isprintable, text.strip()[:_LONGEST]))


def _digits(text: str) -> str:
    return text if text.isascii() and text.isdigit() and len(text) < _DIGITS else ""
