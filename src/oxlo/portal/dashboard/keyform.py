"""The forms that create and rotate keys. Pure."""

from starlette.datastructures import FormData

from oxlo.catalogue import Catalogue
from oxlo.errors import ModelNotFound
from oxlo.portal.forms import Problem, text
from oxlo.store import keys
from oxlo.store.errors import InvalidScope
from oxlo.store.keys import Scope

#: Endpoints that a key can be restricted to, by the gateway's names.
ENDPOINTS = (
    "chat",
    "completions",
    "embeddings",
    "images",
    "image_edits",
    "speech",
    "transcriptions",
    "translations",
    "detect",
)
NAME_MAX = 60
#: Lifetimes of a key in days, with labels.
LIFETIMES = {
    "": "Never",
    "1": "1 day",
    "7": "7 days",
    "30": "30 days",
    "90": "90 days",
    "365": "1 year",
}
#: How long a rotated key keeps working, in seconds, with labels.
OVERLAPS = {"0": "at once", "3600": "1 hour", "86400": "1 day", "604800": "7 days"}


def name(form: FormData) -> str:
    """Name of the key. Raises Problem."""
    value = " ".join(text(form, "name").split()) or "key"
    if len(value) > NAME_MAX or not value.isprintable():
        raise Problem("name", f"A name has at most {NAME_MAX} printable characters.")
    return value


def scope(form: FormData, known: Catalogue) -> Scope:
    """Restrictions of the key. Raises Problem for unknown models, endpoints or invalid origins."""
    chosen = [str(value) for value in form.getlist("endpoints")]
    if not set(chosen) <= set(ENDPOINTS):
        raise Problem("endpoints", f"Endpoints are {', '.join(ENDPOINTS)}.")
    return Scope(
        models=frozenset(_model(known, part) for part in _split(text(form, "models"))),
        endpoints=frozenset(chosen),
        origins=frozenset(_origin(part) for part in _split(text(form, "origins"))),
    )


def lifetime(form: FormData) -> int | None:
    """Lifetime of the key in days; None: no expiry. Raises Problem."""
    value = text(form, "expires")
    if value not in LIFETIMES:
        raise Problem("expires", "Choose one from the list.")
    return int(value) if value else None


def overlap(form: FormData) -> int:
    """Seconds for which the old key keeps working."""
    value = text(form, "overlap")
    return int(value) if value in OVERLAPS else 0


def _model(known: Catalogue, name: str) -> str:
    try:
        return known.resolve(name).id
    except ModelNotFound as unknown:
        raise Problem("models", unknown.message) from None


def _origin(part: str) -> str:
    try:
        return keys.origin(part)
    except InvalidScope as wrong:
        raise Problem("origins", str(wrong)) from None


def _split(listed: str) -> list[str]:
    return listed.replace(",", " ").split()
