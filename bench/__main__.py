"""`python -m bench [NAME [OPTIONS]]`: run a bench, or list them."""

import importlib
import signal
import sys
from types import FrameType

BENCHES = {
    "overhead": "CPU, throughput and latency of the gateway beside nginx, Rust routers and LiteLLM",
    "memory": "the gateway's memory after 20,000 and after 200,000 requests",
    "soak": "15 minutes of mixed traffic, half of the streams dropped: does anything grow or leak",
    "real_engine": "chats with a real llama.cpp engine, through the gateway and straight to it",
    "fairness": "who waits how long when a model is full, beside first come, first served",
    "longcontext": "conversations about shared documents, on two engines: ours and other routers",
    "embeddings": "embeddings through the platform and by the bare library; batched and not",
    "audio": "transcription and speech through the platform and by the bare libraries",
    "media": "uploads of 25 MB beside small chats: how much later those get their answers",
    "pages": "pages beside small chats: what each costs, and how much later chats are answered",
    "detection": "things found in pictures through the platform and by the bare library",
    "images": "images through the platform and by the bare library; the engine's memory",
    "warm": "the first call after a start, an idle while, a replacement, beside those after it",
    "hotpath": "CPU of one chat call in the gateway's own code, without kernel and network",
    "dialects": "CPU of reading a request, writing an engine's and translating chunks",
    "limits": "four gateways and 64 clients of one account: accepted is exactly what is allowed",
    "chaos": "10,000 calls while everything is killed again and again, compared call by call",
    "ledger": "CPU of the ledger for one call",
}


def main(arguments: list[str]) -> int:
    """Run the bench named by the first argument."""
    if not arguments or arguments[0] not in BENCHES:
        print("\n".join(f"python -m bench {name:12} {about}" for name, about in BENCHES.items()))
        return 2 if arguments else 0
    signal.signal(signal.SIGTERM, _ended)
    bench = importlib.import_module(f"bench.{arguments[0]}")
    result: int = bench.main(arguments[1:])
    return result


def _ended(number: int, frame: FrameType | None) -> None:
    """Exit through an exception, so that all child processes are stopped."""
    raise SystemExit(128 + number)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
