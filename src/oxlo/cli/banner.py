"""The text that `oxlo serve` prints once it is ready, plain so that it can be copied."""

from collections.abc import Sequence

from oxlo import snippets
from oxlo.catalogue import Model
from oxlo.plans import Plan
from oxlo.snippets import Category

#: Categories in the Python program, if a model for them is ready; `vision` and `detection` need an
#: image file.
_PYTHON: tuple[Category, ...] = (
    "chat",
    "streaming",
    "embeddings",
    "images",
    "speech",
    "transcription",
)
_PICTURE: tuple[Category, ...] = ("vision", "detection")


def banner(base_url: str, key: str | None, plan: Plan, models: Sequence[Model], portal: str) -> str:
    """The whole text. `key` is None unless it was just created; `models` are the ready ones.

    `portal` is the URL where the operator logs in, or sets the first password.
    """
    base = f"{base_url}/v1"
    names = ", ".join(model.id for model in models)
    lines = _calls(base, key or "YOUR_API_KEY", models)
    # Last, so that it stays visible: the programs are longer than a terminal.
    lines += ["", "Oxlo is ready.", "", f"Portal: {portal}", f"Base URL: {base}", *_key_lines(key)]
    lines += [f"Models: {names}" if models else _NO_MODELS, _plan_line(plan)]
    return "\n".join([*lines, "", "Stop with Ctrl-C."])


def _calls(base: str, key: str, models: Sequence[Model]) -> list[str]:
    """A request with curl, a Python program for all categories, and requests with images."""
    shown = [(category, model.id) for category in _PYTHON if (model := _largest(category, models))]
    lines: list[str] = []
    for category, name in shown[:1]:
        lines += ["Ask with curl:", snippets.render(category, "curl", base, key, name)]
    if shown:
        lines += ["Or with Python (pip install openai):", snippets.program(shown, base, key)]
    for category in _PICTURE:
        if model := _largest(category, models):
            # Vision models differ too much in quality to leave out the description.
            lines += [f"With a picture of yours, photo.jpg, for {category}. {model.description}"]
            lines += [snippets.render(category, "curl", base, key, model.id)]
    return [line for text in lines for line in ("", text.rstrip())]


def _largest(category: Category, models: Sequence[Model]) -> Model | None:
    """The largest model for the category; the first of equals."""
    suitable = [m for m in models if category in snippets.for_abilities(m.abilities)]
    return max(suitable, key=lambda model: model.billions or 0, default=None)


KEEP = "Keep the key now: it is not shown again."
_NO_MODELS = "Models: none; `oxlo models list` shows what can be pulled"


def _key_lines(key: str | None) -> list[str]:
    if key is None:
        return ["Keys: made earlier; `oxlo keys create --account operator` makes another"]
    return [f"API key: {key}", KEEP]


def _plan_line(plan: Plan) -> str:
    day, minute = plan.requests_per_day, plan.requests_per_minute
    limits = [
        f"{count:,} requests a {window}"
        for count, window in ((day, "day"), (minute, "minute"))
        if count
    ]
    allowed = ", ".join(limits) or "no limits"
    return f"Account: operator, on the {plan.name} plan ({allowed})"
