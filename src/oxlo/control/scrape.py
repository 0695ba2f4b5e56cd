"""Reading the snapshots of this machine's gateways from their admin sockets."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec

from oxlo.control import snapshots, unixhttp
from oxlo.control.snapshots import GatewaySnapshot

#: Called with the socket of a gateway that does not answer, and the error.
OnFailure = Callable[[Path, Exception], None]


async def gateways(folder: Path, failed: OnFailure) -> list[GatewaySnapshot]:
    """Snapshots of the gateways whose sockets are in `folder`, except those that do not answer."""
    sockets = await asyncio.to_thread(lambda: sorted(folder.glob("gateway-*.sock")))
    answers = await asyncio.gather(*(_snapshot(socket, failed) for socket in sockets))
    return [answer for answer in answers if answer is not None]


async def _snapshot(socket: Path, failed: OnFailure) -> GatewaySnapshot | None:
    try:
        return snapshots.decode(await unixhttp.get(socket, "/snapshot"))
    except (unixhttp.UnixHttpError, msgspec.DecodeError) as error:
        failed(socket, error)
        return None
