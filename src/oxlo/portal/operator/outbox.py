"""The outbox, for operators."""

from starlette.requests import Request
from starlette.responses import Response

from oxlo.portal import guard
from oxlo.portal.desk import Desk
from oxlo.store import mails


async def page(request: Request) -> Response:
    """Mails: those waiting, and without a mail server their contents."""
    desk = Desk.of(request)
    async with desk.site.database.read() as db:
        latest = await mails.latest(db)
    context = {"mails": latest, "sends": bool(desk.settings.smtp_url)}
    return guard.respond(request, "operator/outbox.html", context)
