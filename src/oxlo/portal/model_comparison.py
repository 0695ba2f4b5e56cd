"""`/models/compare`: up to four models side by side, named in the query."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from oxlo.catalogue import Catalogue, Model
from oxlo.errors import ModelNotFound
from oxlo.plans import Plans
from oxlo.portal import formats, model_list, models
from oxlo.portal.model_list import Row
from oxlo.portal.site import Site

PATH = "/models/compare"
#: Maximum number of models in the table.
MAX_MODELS = 4


async def page(request: Request) -> Response:
    """The comparison table; unknown models are left out."""
    site = Site.of(request)
    chosen = resolve(site.catalogue, request.query_params.getlist("id"))
    shown = model_list.rows(chosen, models.current(site))
    shown.sort(key=lambda row: chosen.index(row.model))
    context = {
        "chosen": chosen,
        "others": addable(site.catalogue, chosen),
        "most": MAX_MODELS,
        "states": [row.state for row in shown],
        "rows": facts(shown, site.plans),
    }
    return site.pages.respond(request, "compare.html", context)


def resolve(catalogue: Catalogue, names: Sequence[str]) -> list[Model]:
    """The first few distinct models of these names, in order; unknown names are skipped."""
    by_id: dict[str, Model] = {}
    for name in names[: 2 * MAX_MODELS]:
        try:
            model = catalogue.resolve(name)
        except ModelNotFound:
            continue
        by_id.setdefault(model.id, model)
    return list(by_id.values())[:MAX_MODELS]


def addable(catalogue: Catalogue, chosen: Sequence[Model]) -> list[Model]:
    """Models that can be added to the comparison, by name."""
    rest = [model for model in catalogue if model not in chosen]
    return sorted(rest, key=lambda model: model.name.lower())


def facts(rows: Sequence[Row], plans: Plans) -> list[tuple[str, list[str]]]:
    """Each fact's name with its value for each model; facts without any value are left out."""
    table: list[tuple[str, list[str]]] = [
        ("Category", [model_list.CATEGORIES[row.model.category] for row in rows]),
        ("Cheapest plan", [_plan(row.model, plans) for row in rows]),
        ("Context", [formats.count(row.context or None, "") for row in rows]),
        ("Abilities", [_abilities(row.model) for row in rows]),
        (
            "Weights",
            [formats.parameters(row.model.billions) if row.model.billions else "" for row in rows],
        ),
        ("Made by", [row.model.owned_by for row in rows]),
        ("Licence", [row.model.licence for row in rows]),
        ("Good for", [row.model.description for row in rows]),
    ]
    filled = [(name, values) for name, values in table if any(values)]
    return [(name, [value or formats.DASH for value in values]) for name, values in filled]


def _plan(model: Model, plans: Plans) -> str:
    plan = plans.cheapest_opening(model.tier)
    return plan.name if plan else ""


def _abilities(model: Model) -> str:
    return ", ".join(name for key, name in model_list.ABILITIES.items() if key in model.abilities)
