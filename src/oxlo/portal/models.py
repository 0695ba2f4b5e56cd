"""`/models` and the page of each model."""

from collections.abc import Callable
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from oxlo.catalogue import Model, Source
from oxlo.catalogue.parameters import describe
from oxlo.errors import ModelNotFound
from oxlo.plans import Plan, Plans
from oxlo.portal import formats, highlighting, model_list, readiness
from oxlo.portal.model_list import Filters, Row
from oxlo.portal.pages import wants_page, wants_part
from oxlo.portal.readiness import Readiness
from oxlo.portal.site import Site
from oxlo.weights.sources import title

_CATEGORY_NAMES = {
    "chat": "Chat",
    "streaming": "Streaming",
    "vision": "Vision",
    "tools": "Tools",
    "json": "JSON",
    "embeddings": "Embeddings",
    "images": "Images",
    "speech": "Speech",
    "transcription": "Transcription",
    "detection": "Detection",
}


def current(site: Site) -> Readiness:
    """Which models are served now."""
    return readiness.read(site.settings.replicas_file)


async def index(request: Request) -> Response:
    """The model list; the rows alone for htmx, which updates the browser's URL."""
    site, filters = Site.of(request), Filters.of(request.query_params)
    rows = model_list.rows(site.catalogue, current(site))
    context = {
        "filters": filters,
        "rows": [row for row in rows if filters.match(row)],
        "total": len(rows),
        "categories": model_list.CATEGORIES,
        "tiers": model_list.TIERS,
        "abilities": model_list.ABILITIES,
        "contexts": model_list.CONTEXTS,
    }
    partial = wants_part(request)
    template = "models_rows.html" if partial else "models.html"
    headers = {"vary": "cookie, hx-request"}
    headers |= {"hx-push-url": filters.address} if partial else {}
    return site.pages.respond(request, template, context, headers=headers)


async def page(request: Request) -> Response:
    """A model's page; an alias redirects to the id. Raises ModelNotFound, but for browsers."""
    site, name = Site.of(request), request.path_params["model"]
    try:
        model = site.catalogue.resolve(name)
    except ModelNotFound:
        if not wants_page(request):
            raise
        return _unknown(site, name, request)
    if model.id != name:
        return RedirectResponse(f"/models/{model.id}", 308)
    return site.pages.respond(request, "model.html", _about(site, model, request))


def _unknown(site: Site, name: str, request: Request) -> Response:
    """The page for a name that no model has: similar models, and those served here."""
    similar = [site.catalogue.resolve(model_id) for model_id in site.catalogue.similar(name)]
    rows = model_list.rows(site.catalogue, current(site))
    context = {
        "name": name[:100],
        "similar": model_list.rows(similar, current(site)),
        "ready": [row for row in rows if row.state == "ready" and row.model not in similar],
    }
    return site.pages.respond(request, "model_unknown.html", context, status=404)


def _about(site: Site, model: Model, request: Request) -> dict[str, object]:
    (row,) = model_list.rows([model], current(site))
    categories = highlighting.categories(model)
    shown = next(
        (k for k in categories if k == request.query_params.get("show")),
        categories and categories[0],
    )
    base = site.settings.base_url
    return {
        "row": row,
        "model": model,
        "instead": _alternatives(site, model) if row.state == "absent" else [],
        "category": model_list.CATEGORIES[model.category],
        "tier": model_list.TIERS.get(model.tier, model.tier),
        "plan": site.plans.cheapest_opening(model.tier),
        "abilities": [name for key, name in model_list.ABILITIES.items() if key in model.abilities],
        "parameters": parameter_rows(model),
        "limits": limits(site.plans, row),
        "kinds": [
            (f"/models/{model.id}?show={k}#call", _CATEGORY_NAMES[k], k == shown)
            for k in categories
        ],
        "panels": highlighting.panels(shown, base, model.id) if shown else (),
        "weight_sources": weight_sources(model),
        "hardware": sorted({v.hardware for v in model.variants}),
    }


def weight_sources(model: Model) -> list[str]:
    """Where the weights come from, whatever the hardware: hub repositories, packages, folders."""
    listed = [_source_name(source) for file in model.weights for source in file.sources]
    repositories = map(model.repository, model.variants)
    listed += [f"hub {repository.hub}" for repository in repositories if repository]
    listed += [f"hub {part.hub}" for part in model.parts]
    listed += ["a file that the operator supplies"] if model.supplied else []
    return list(dict.fromkeys(listed))


def _source_name(source: Source) -> str:
    """A source's name, without the paths of this machine."""
    if source.folder:
        return "a folder of the operator"
    return "comes with Oxlo" if source.shipped else title(source)


def _alternatives(site: Site, model: Model) -> list[Model]:
    """Ready models of the same category, as alternatives."""
    similar = [one for one in site.catalogue if one.category == model.category]
    return [row.model for row in model_list.rows(similar, current(site)) if row.state == "ready"]


def parameter_rows(model: Model) -> list[tuple[str, str, str, str, str]]:
    """Name, type, range, default and description of each parameter, from `/parameters`."""
    published = describe(model)["parameters"]
    assert isinstance(published, dict)
    return [
        (name, spec["type"], span(spec), default(spec["default"]), spec["description"])
        for name, spec in published.items()
    ]


def span(spec: dict[str, object]) -> str:
    """Range or choices of a parameter as text."""
    choices = spec.get("choices")
    if isinstance(choices, list):
        return ", ".join(map(str, choices[:8])) + (", …" if len(choices) > 8 else "")
    low, high = spec["min"], spec["max"]
    if low is None and high is None:
        return ""
    if high is None:
        return f"from {low}"
    return f"{low} to {high}" if low is not None else f"up to {high}"


def default(value: object) -> str:
    """A default as JSON; "" if there is none."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


class Cap(NamedTuple):
    """A limit of a request: its name, and a formatter of a plan's value."""

    name: str
    shown: Callable[[Plan], str]


def caps(row: Row) -> list[Cap]:
    """The limits that apply to requests to the model, by its abilities (D17)."""
    model = row.model
    tokens_in = Cap("Input tokens", lambda p: _tokens(p.max_input_tokens, row.context))
    tokens_out = Cap("Output tokens", lambda p: _tokens(p.max_output_tokens, row.context))
    size = Cap("Largest body", lambda p: f"{p.max_body_mb}{formats.THIN}MB")
    if model.abilities & {"transcription", "translation"}:
        return [Cap("Longest recording", _minutes), size]
    if "detection" in model.abilities:
        return [size]
    return [tokens_in, tokens_out] if "chat" in model.abilities else [tokens_in]


def limits(plans: Plans, row: Row) -> list[tuple[Plan, bool, list[tuple[str, str]]]]:
    """For each plan: whether it includes the model, and its caps by name."""
    return [
        (plan, plan.opens(row.model.tier), [(cap.name, cap.shown(plan)) for cap in caps(row)])
        for plan in plans
    ]


def _tokens(cap: int | None, context: int) -> str:
    return formats.count(_minimum(cap, context), "context")


def _minutes(plan: Plan) -> str:
    minutes = plan.max_audio_minutes
    return "any" if minutes is None else f"{minutes}{formats.THIN}min"


def _minimum(cap: int | None, context: int) -> int | None:
    known = [value for value in (cap, context) if value]
    return min(known) if known else None
