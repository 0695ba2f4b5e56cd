"""Filters of the request list, as query parameters. Pure."""

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
_MAX_LENGTH = 200
_MAX_DIGITS = 6


class Filters(NamedTuple):
    """Selected filters; an empty value selects everything."""

    q: str = ""
    model: str = ""
    endpoint: str = ""
    outcome: str = ""
    status: str = ""
    key: str = ""
    days: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Filters":
        """Parse a query; an invalid status or period is ignored."""
        filters = cls(*(_printable(query.get(name, "")) for name in cls._fields))
        return filters._replace(status=_digits(filters.status), days=_digits(filters.days))

    def only(self, now: float) -> Filter:
        """Convert to the store's filter."""
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
        """Encode as a query string without empty filters; `other` overrides single values."""
        values = self._asdict() | other
        return urlencode({name: value for name, value in values.items() if value})

    def address(self, path: str = PATH, **other: str) -> str:
        """URL of the filtered list, or of another path with the same filters."""
        query = self.query(**other)
        return f"{path}?{query}" if query else path


class Choice(NamedTuple):
    """A select field: name, label, label of the empty option, and (value, label) options."""

    name: str
    label: str
    empty: str
    options: list[tuple[str, str]]


def choices(kinds: Kinds, account_keys: Iterable[Key]) -> list[Choice]:
    """The select fields for an account with these requests and keys."""
    key_options = [
        (key.id, f"{key.name} ({key.prefix}…)") for key in account_keys if not key.hidden
    ]
    return [
        Choice("model", "Model", "All", _as_options(kinds.models)),
        Choice("endpoint", "Endpoint", "All", _as_options(kinds.endpoints)),
        Choice(
            "outcome",
            "Outcome",
            "All",
            [(outcome, outcome.replace("_", " ")) for outcome in OUTCOMES],
        ),
        Choice("status", "Status", "All", _as_options(kinds.statuses)),
        Choice("key", "Key", "All", key_options),
        Choice("days", "Period", "Any", list(PERIODS.items())),
    ]


def _as_options(values: Iterable[object]) -> list[tuple[str, str]]:
    return [(str(value), str(value)) for value in values]


def _printable(text: str) -> str:
    """Strip control characters, which databases refuse."""
    return "".join(filter(str.isprintable, text.strip()[:_MAX_LENGTH]))


def _digits(text: str) -> str:
    return text if text.isascii() and text.isdigit() and len(text) < _MAX_DIGITS else ""
