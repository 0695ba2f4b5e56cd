"""The measured loads and their targets."""

import msgspec

from bench.overhead.engine import CHUNKS
from bench.overhead.load import Kind


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A maximum ratio of the gateway's CPU time to that of the cheapest of `peers`."""

    peers: tuple[str, ...]
    most: float
    #: Name of the measured gateway.
    of: str = "oxlo"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A load."""

    name: str
    connections: int = 64
    size: int = 1024
    kind: Kind = "whole"
    shape: str = "openai"
    #: Milliseconds between the events of a stream; 0: as fast as possible.
    pace_ms: float = 0.0
    #: Whether the key's plan limits the input, so that the engine has to count tokens.
    capped: bool = False
    #: The peers measured; empty: all.
    among: tuple[str, ...] = ()
    targets: tuple[Target, ...] = ()

    @property
    def units(self) -> int:
        """Return the units per response for the cost: chunks of a stream, otherwise 1."""
        return 1 if self.kind == "whole" else CHUNKS


def _within(most: float, *peers: str) -> Target:
    return Target(peers=peers, most=most)


#: Shared limits in Valkey compared with limits in memory.
_SHARED = Target(peers=("oxlo",), most=1.6, of="oxlo-valkey")
_ROUTERS = ("vllm-router", "sglang-router")
#: Response shapes only matter to the gateway; peers pass the bytes through.
_TWO = ("oxlo", "nginx")
_NGINX_STREAM = (_within(2.0, "nginx"),)
_VLLM_STREAM = (_within(3.0, "nginx"),)

ROWS = (
    Row(name="1KB-1", connections=1),
    Row(
        name="1KB-64",
        targets=(_within(2.5, "nginx"), _within(0.6, *_ROUTERS), _within(0.01, "litellm"), _SHARED),
    ),
    Row(name="1KB-256", connections=256),
    Row(name="1KB-64-vllm", shape="vllm", among=_TWO),
    Row(name="1KB-64-llamacpp", shape="llamacpp", among=_TWO),
    Row(name="64KB-64", size=65_536, targets=(_within(3.0, "nginx"),)),
    Row(name="64KB-64-capped", size=65_536, shape="vllm", capped=True, among=("oxlo",)),
    Row(name="stream-64", kind="stream_usage", targets=_NGINX_STREAM),
    Row(name="stream-64-paced", kind="stream_usage", pace_ms=5, targets=_NGINX_STREAM),
    Row(name="stream-64-no-usage", kind="stream", among=_TWO),
    Row(name="stream-64-vllm", kind="stream", shape="vllm", among=_TWO, targets=_VLLM_STREAM),
    Row(name="stream-64-llamacpp", kind="stream", shape="llamacpp", among=_TWO),
)
