"""The audit log, for operators."""

from starlette.requests import Request
from starlette.responses import Response

from oxlo.portal import guard
from oxlo.portal.portal import Portal
from oxlo.store import audit, search

_ON_A_PAGE = 100


async def page(request: Request) -> Response:
    """Privileged actions, newest first."""
    query = request.query_params
    action, about, before = query.get("action", ""), query.get("about", ""), query.get("before")
    async with Portal.of(request).site.database.read() as db:
        entries = await audit.latest(
            db,
            about=about[:100],
            action=action[:40],
            before=_timestamp(before),
            limit=_ON_A_PAGE + 1,
        )
        shown = entries[:_ON_A_PAGE]
        names = await search.names(db, {e.actor for e in shown} | {e.target for e in shown})
    context = {
        "entries": shown,
        "names": names,
        "action": action,
        "about": about,
        "older": shown[-1].at if len(entries) > _ON_A_PAGE else None,
    }
    return guard.respond(request, "operator/audit.html", context)


def _timestamp(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None
