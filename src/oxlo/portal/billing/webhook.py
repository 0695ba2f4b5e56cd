"""`/billing/webhook`: events of the payment provider, authenticated by their signature only."""

from starlette.requests import Request
from starlette.responses import Response

from oxlo.billing.stripe import Stripe
from oxlo.errors import NotFound
from oxlo.portal.portal import Portal

PATH = "/billing/webhook"


async def receive(request: Request) -> Response:
    """Return 200 once an event is handled, also for duplicates; otherwise it is sent again."""
    portal = Portal.of(request)
    if not isinstance(portal.billing, Stripe):
        raise NotFound(f"There is nothing at {PATH}: no payment provider is set up.")
    payload, signature = await request.body(), request.headers.get("stripe-signature", "")
    await portal.billing.receive(payload, signature, portal.site.plans, now=portal.now)
    return Response(b'{"received":true}', media_type="application/json")
