"""The outbox, for operators."""

from starlette.requests import Request
from starlette.responses import Response

from oxlo.portal import guard
from oxlo.portal.portal import Portal
from oxlo.store import mails


async def page(request: Request) -> Response:
    """Mails: those waiting, and without a mail server their contents."""
    portal = Portal.of(request)
    async with portal.site.database.read() as db:
        latest = await mails.latest(db)
    context = {"mails": latest, "sends": bool(portal.settings.smtp_url)}
    return guard.respond(request, "operator/outbox.html", context)
