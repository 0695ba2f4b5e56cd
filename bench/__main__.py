"""`python -m bench [NAME [OPTIONS]]`: run a bench, or list them."""

import importlib
import signal
import sys
from types import FrameType

BENCHES = {
    "overhead": "CPU, throughput and latency of the gateway, nginx, Rust routers and LiteLLM",
    "memory": "the gateway's memory after 20,000 and after 200,000 requests",
    "soak": "15 minutes of mixed traffic, half of the streams dropped: does anything grow or leak",
    "real_engine": "chats with a real llama.cpp engine, through the gateway and directly",
    "fairness": "queue waiting times at a full model, compared with first come, first served",
    "longcontext": "prefix-aware routing of conversations to two engines, ours and other routers",
    "embeddings": "embeddings through the platform and with the bare library; batched and not",
    "audio": "transcription and speech through the platform and with the bare libraries",
    "media": "latency of small chats during uploads of 25 MB",
    "pages": "CPU of pages, and latency of small chats while pages are requested",
    "detection": "object detection through the platform and with the bare library",
    "images": "images through the platform and with the bare library; the engine's memory",
    "warm": "latency of the first request after a start, idle time or an engine's replacement",
    "hotpath": "CPU of one chat request in the gateway's code, without kernel and network",
    "dialects": "CPU of decoding requests, encoding engine requests and translating chunks",
    "limits": "exactness of limits with four gateways and 64 clients of one account",
    "chaos": "10,000 requests while processes are killed repeatedly, verified one by one",
    "ledger": "CPU of the ledger per call",
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
