"""Token prices of other providers, each with a date and a source."""

import tomllib
from datetime import date
from pathlib import Path

import msgspec


class Rate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A provider's price for one of our models."""

    provider: str
    model: str
    #: US dollars per million tokens.
    input: float
    output: float
    checked: date
    source: str

    def call(self, tokens_in: float, tokens_out: float) -> float:
        """Cost of one request in dollars."""
        return (tokens_in * self.input + tokens_out * self.output) / 1_000_000

    @property
    def shown(self) -> str:
        """Both prices with all their decimals, at least two: 0.10 / 0.3432."""
        return f"{_price(self.input)} / {_price(self.output)}"


def _price(dollars: float) -> str:
    return max(f"{dollars:.2f}", f"{dollars}", key=len)


class _File(msgspec.Struct, forbid_unknown_fields=True):
    rate: list[Rate]


def load(path: Path | None = None) -> tuple[Rate, ...]:
    """Load the rates. Raises msgspec.ValidationError naming the field."""
    source = path or Path(__file__).with_name("rates.toml")
    return tuple(msgspec.convert(tomllib.loads(source.read_text()), _File).rate)
