"""The form that makes a key, or another one in its place. Pure."""

from starlette.datastructures import FormData

from oxlo.catalogue import Catalogue
from oxlo.errors import ModelNotFound
from oxlo.portal.forms import Problem, text
from oxlo.store import keys
from oxlo.store.errors import InvalidScope
from oxlo.store.keys import Scope

#: Endpoints that a key can be narrowed to, as the gateway names them.
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
#: How long a key lives: days, and the words for them.
LIVES = {
    "": "Never",
    "1": "1 day",
    "7": "7 days",
    "30": "30 days",
    "90": "90 days",
    "365": "1 year",
}
#: How long an old key goes on beside the one that replaces it: seconds, and the words for them.
OVERLAPS = {"0": "at once", "3600": "1 hour", "86400": "1 day", "604800": "7 days"}


def name(form: FormData) -> str:
    """What the key is called. Raises Problem."""
    given = " ".join(text(form, "name").split()) or "key"
    if len(given) > NAME_MAX or not given.isprintable():
        raise Problem("name", f"A name has at most {NAME_MAX} printable characters.")
    return given


def scope(form: FormData, known: Catalogue) -> Scope:
    """What the key is narrowed to; what does not exist would lock its owner out. Raises Problem."""
    chosen = [str(value) for value in form.getlist("endpoints")]
    if not set(chosen) <= set(ENDPOINTS):
        raise Problem("endpoints", f"Endpoints are {', '.join(ENDPOINTS)}.")
    return Scope(
        models=frozenset(_model(known, part) for part in _parts(text(form, "models"))),
        endpoints=frozenset(chosen),
        origins=frozenset(_origin(part) for part in _parts(text(form, "origins"))),
    )


def life(form: FormData) -> int | None:
    """The days that the key lives; None: for ever. Raises Problem."""
    given = text(form, "expires")
    if given not in LIVES:
        raise Problem("expires", "Choose one from the list.")
    return int(given) if given else None


def overlap(form: FormData) -> int:
    """The seconds that the old key goes on."""
    given = text(form, "overlap")
    return int(given) if given in OVERLAPS else 0


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


def _parts(listed: str) -> list[str]:
    return listed.replace(",", " ").split()
