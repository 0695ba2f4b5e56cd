"""The gateway processes of one machine; several share a port and their limits."""

from oxlo.cli.failures import CommandError
from oxlo.cli.supervisor import Child, oxlo
from oxlo.cli.valkey import program
from oxlo.settings import Settings


def children(settings: Settings, workers: int) -> list[Child]:
    """The gateway processes, g1 to gN.

    Raises CommandError if several are requested without a Valkey to share.
    """
    if settings.valkey == "embedded" and not settings.valkey_url:
        program()  # fails here, rather than in a child process
    grace = settings.drain_seconds + 5
    if workers == 1:
        return [oxlo("gateway", grace)]
    if not settings.valkey_address:
        raise CommandError(
            f"--workers {workers} needs a Valkey, in which the gateways share their limits: set "
            "OXLO_VALKEY_URL=valkey://HOST:PORT, or OXLO_VALKEY=embedded to have one started here"
        )
    return [_worker(f"g{number}", grace) for number in range(1, workers + 1)]


def _worker(name: str, grace: float) -> Child:
    """A gateway that shares its port but not its log; it drains while the others do."""
    child = oxlo("gateway", grace, "--name", name, "--share-port")
    return Child(f"gateway-{name}", child.argv, child.grace, group=child.name)
