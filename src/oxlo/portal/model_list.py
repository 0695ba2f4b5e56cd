"""The model list: search, filters and order. Pure."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import urlencode

from oxlo.catalogue import Model, fold
from oxlo.portal.readiness import Readiness, State

#: In display order.
CATEGORIES = {
    "chat": "Chat",
    "code": "Code",
    "vision": "Vision",
    "image": "Images",
    "audio": "Audio",
    "embeddings": "Embeddings",
    "detection": "Detection",
}
TIERS = {"free": "Free", "pro": "Pro", "premium": "Premium"}
ABILITIES = {
    "chat": "Chat",
    "completions": "Completions",
    "tools": "Tools",
    "json": "JSON",
    "reasoning": "Reasoning",
    "vision": "Vision",
    "logprobs": "Log probabilities",
    "embeddings": "Embeddings",
    "images": "Images",
    "image_edits": "Image edits",
    "transcription": "Transcription",
    "translation": "Translation",
    "speech": "Speech",
    "detection": "Detection",
}
#: Minimum context lengths, in tokens.
CONTEXTS = (4096, 16384, 32768, 131072, 262144)
_STATES: tuple[State, ...] = ("ready", "starting", "failing", "absent")


class Filters(NamedTuple):
    """Selected filters; an empty value selects everything."""

    q: str = ""
    category: str = ""
    tier: str = ""
    ability: str = ""
    context: int = 0
    ready: bool = False

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Filters":
        """Parse a query; unknown values are ignored."""
        contexts = {str(size): size for size in CONTEXTS}
        return cls(
            q=query.get("q", "").strip()[:100],
            category=_valid(query.get("category"), CATEGORIES),
            tier=_valid(query.get("tier"), TIERS),
            ability=_valid(query.get("ability"), ABILITIES),
            context=contexts.get(query.get("context", ""), 0),
            ready=query.get("ready", "") == "1",
        )

    @property
    def address(self) -> str:
        """Canonical URL, without empty filters."""
        values = {
            name: int(value) if value is True else value
            for name, value in self._asdict().items()
            if value
        }
        return "/models" + (f"?{urlencode(values)}" if values else "")

    def match(self, row: "Row") -> bool:
        """Whether a model matches all filters."""
        model = row.model
        return (
            (not self.category or model.category == self.category)
            and (not self.tier or model.tier == self.tier)
            and (not self.ability or self.ability in model.abilities)
            and row.context >= self.context
            and (not self.ready or row.state == "ready")
            and _matches_text(model, self.q)
        )


class Row(NamedTuple):
    """A model with its current state."""

    model: Model
    state: State
    #: Context length in tokens, of its replicas or from the catalogue.
    context: int


def rows(models: Iterable[Model], readiness: Readiness) -> list[Row]:
    """All models: ready ones first, then by category, tier and name."""
    result = [
        Row(m, readiness.state(m.id), readiness.context(m.id) or m.context_length) for m in models
    ]
    return sorted(result, key=_order)


def _order(row: Row) -> tuple[int, int, int, str]:
    categories, tiers = list(CATEGORIES), list(TIERS)
    tier = tiers.index(row.model.tier) if row.model.tier in tiers else len(tiers)
    return (
        _STATES.index(row.state),
        categories.index(row.model.category),
        tier,
        row.model.name.lower(),
    )


def _valid(value: str | None, names: Mapping[str, str]) -> str:
    return value if value is not None and value in names else ""


def _matches_text(model: Model, text: str) -> bool:
    """Whether each word occurs in the model's id, names, owner or description."""
    values = " ".join((model.id, model.name, *model.aliases, model.owned_by, model.description))
    lower, folded = values.lower(), fold(values)
    return all(word in lower or fold(word) in folded for word in text.lower().split())
