"""A soak test: 15 minutes of mixed traffic without growing memory or leaks in the gateway.

Whole chats, streams, retries with an idempotency key, dry runs and invalid requests on keep-alive
connections, of which there are more than slots. Clients disconnect from half of the streams at a
random point.

    python -m bench soak [--minutes 15] [--clients 48] [--pace 5]
"""

from bench.soak.run import main

__all__ = ["main"]
