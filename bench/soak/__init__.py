"""A quarter of an hour of mixed traffic: what the gateway holds must not grow, and nothing leaks.

Whole chats, streams, repeats with an idempotency key, dry runs and bad requests on kept-alive
connections, more of them than the model has slots; half of the streams are dropped by their
clients, anywhere from before the first event to the last.

    python -m bench soak [--minutes 15] [--clients 48] [--pace 5]
"""

from bench.soak.run import main

__all__ = ["main"]
