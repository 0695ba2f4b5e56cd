"""Network connections of a test's event loop."""

import asyncio
from typing import Any


async def close_all() -> None:
    """Close all connections of the running loop, on both sides, as the end of a process does.

    An open connection is a ResourceWarning, and so an error, in whichever test comes next.
    """
    loop: Any = asyncio.get_running_loop()
    await asyncio.sleep(0)  # for those that are being accepted
    for transport in list(loop._transports.values()):
        transport.abort()
    await asyncio.sleep(0)
