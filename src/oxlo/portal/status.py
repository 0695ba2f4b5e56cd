"""`/status`: availability of the models; `/status.json` has the same data."""

from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from oxlo.portal import charts, formats
from oxlo.portal.site import Site
from oxlo.store.status import Board, Day, ModelStatus, Status

#: Badge and sentence of the overall state.
_OVERALL = {
    "operational": ("ok", "All models that are served here are ready."),
    "degraded": ("warn", "Some models are not ready; the others answer."),
    "down": ("bad", "No model is ready."),
    "empty": ("off", "No model is served here yet."),
}
_STATES = {"ready": ("ok", "Ready"), "starting": ("warn", "Starting"), "down": ("bad", "Down")}
#: Uptime from which a day is shown as good, or as fair.
_GOOD, _FAIR = 0.999, 0.95


async def page(request: Request) -> Response:
    """The page. Raises DatabaseUnavailable."""
    site = Site.of(request)
    status = await site.board.read()
    return site.pages.respond(request, "status.html", _context(site, status))


def _context(site: Site, status: Status) -> dict[str, Any]:
    today = datetime.fromtimestamp(site.clock(), UTC).date()
    days = [(today - timedelta(days=ago)).isoformat() for ago in reversed(range(Board.DAYS))]
    return {
        "overall": _OVERALL[status.state],
        "updated": status.updated,
        "models": [
            {
                "name": _name(site, model.id),
                "status": model,
                "badge": _STATES[model.state],
                "strip": strip(model, days),
                "uptime": uptime(model.days),
            }
            for model in status.models
        ],
    }


def _name(site: Site, model: str) -> str:
    entry = site.catalogue.get(model)
    return entry.name if entry else model


def strip(model: ModelStatus, days: list[str]) -> str:
    """A cell per day; a day without checks is empty, not good."""
    known = {day.day: day for day in model.days}
    cells = [_cell(day, known.get(day)) for day in days]
    return charts.strip(f"{model.id}: readiness by day, {len(known)} days known", cells)


def _cell(day: str, known: Day | None) -> tuple[str, str]:
    if known is None or not known.checks:
        return "off", f"{day}: not checked"
    state = "ok" if known.uptime >= _GOOD else "warn" if known.uptime >= _FAIR else "bad"
    return state, f"{day}: {percent(known.uptime)} of {formats.count(known.checks)} checks"


def uptime(days: tuple[Day, ...]) -> str:
    """Share of checks that found the model ready, over all days."""
    checks = sum(day.checks for day in days)
    if not checks:
        return formats.DASH
    return percent(sum(day.checks * day.uptime for day in days) / checks)


def percent(share: float) -> str:
    """Format a share: 100 %, 99.95 %; never rounded up to 100 %."""
    shown = int(share * 10_000) / 100
    return f"{shown:g}\u202f%"
