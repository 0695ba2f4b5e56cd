"""The list of models: what can be searched for and filtered by. Pure."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import urlencode

from oxlo.catalogue import Model, fold
from oxlo.portal.readiness import Readiness, State

#: In the order in which pages show them.
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
#: Tokens of context that a model has at least.
CONTEXTS = (4096, 16384, 32768, 131072, 262144)
_STATES: tuple[State, ...] = ("ready", "starting", "failing", "absent")


class Filters(NamedTuple):
    """What a reader asks for; an empty value asks for nothing."""

    q: str = ""
    category: str = ""
    tier: str = ""
    ability: str = ""
    context: int = 0
    ready: bool = False

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Filters":
        """Those of an address; a value that there is not asks for nothing."""
        context = query.get("context", "")
        return cls(
            q=query.get("q", "").strip()[:100],
            category=_known(query.get("category"), CATEGORIES),
            tier=_known(query.get("tier"), TIERS),
            ability=_known(query.get("ability"), ABILITIES),
            context=int(context) if context.isdecimal() and int(context) in CONTEXTS else 0,
            ready=query.get("ready", "") == "1",
        )

    @property
    def address(self) -> str:
        """The address that says the same, without what asks for nothing."""
        said = {
            name: int(value) if value is True else value
            for name, value in self._asdict().items()
            if value
        }
        return "/models" + (f"?{urlencode(said)}" if said else "")

    def match(self, row: "Row") -> bool:
        """Whether a model is asked for."""
        model = row.model
        return (
            (not self.category or model.category == self.category)
            and (not self.tier or model.tier == self.tier)
            and (not self.ability or self.ability in model.abilities)
            and row.context >= self.context
            and (not self.ready or row.state == "ready")
            and _says(model, self.q)
        )


class Row(NamedTuple):
    """A model, and how it is here."""

    model: Model
    state: State
    #: Tokens: what its replicas hold, or what its card says.
    context: int


def rows(models: Iterable[Model], readiness: Readiness) -> list[Row]:
    """All models: ready ones first, then by category, tier and name."""
    found = [
        Row(m, readiness.state(m.id), readiness.context(m.id) or m.context_length) for m in models
    ]
    return sorted(found, key=_order)


def _order(row: Row) -> tuple[int, int, int, str]:
    categories, tiers = list(CATEGORIES), list(TIERS)
    tier = tiers.index(row.model.tier) if row.model.tier in tiers else len(tiers)
    return (
        _STATES.index(row.state),
        categories.index(row.model.category),
        tier,
        row.model.name.lower(),
    )


def _known(value: str | None, names: Mapping[str, str]) -> str:
    return value if value is not None and value in names else ""


def _says(model: Model, text: str) -> bool:
    """Whether each word is in what a model is called or described as."""
    said = " ".join((model.id, model.name, *model.aliases, model.owned_by, model.description))
    lower, folded = said.lower(), fold(said)
    return all(word in lower or fold(word) in folded for word in text.lower().split())
