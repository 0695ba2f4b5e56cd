"""Models and replicas, for operators: current load, queue and health."""

from starlette.requests import Request
from starlette.responses import Response

from oxlo.fleet import registry
from oxlo.fleet.registry import Replica
from oxlo.portal import guard
from oxlo.portal.live import Gateways
from oxlo.portal.portal import Portal

_STATES = {"ready": "ok", "starting": "warn", "warming": "warn", "draining": "warn"}


async def page(request: Request) -> Response:
    """The page; for htmx the table alone."""
    portal = Portal.of(request)
    gateways = await portal.live.gateways()
    replicas = registry.read(portal.settings.replicas_file).replicas
    context = {
        "gateways": gateways,
        "rows": [_replica(replica, gateways) for replica in replicas],
        "states": _STATES,
    }
    part = request.headers.get("hx-target") == "fleet"
    return guard.respond(request, f"operator/{'fleet' if part else 'models'}.html", context)


def _replica(replica: Replica, gateways: Gateways) -> dict[str, object]:
    load = next((load for load in gateways.loads if load.replica == replica.id), None)
    return {
        "replica": replica,
        "in_use": load.in_use if load else 0,
        "slots": load.slots if load else replica.slots,
        "queue": gateways.queues.get(replica.model, 0),
    }
