"""Where an engine shows that it is well and that it moves, by dialect; pure."""

import re
from collections.abc import Callable

import msgspec

_SAMPLE = re.compile(r"^([a-z_:]+)(?:\{[^}]*\})? ([0-9.eE+-]+)$", re.MULTILINE)


class Progress(msgspec.Struct, frozen=True):
    """What an engine told about itself."""

    #: Calls that it runs or holds in its own queue.
    busy: int
    #: A number that grows while it works.
    work: float


class Probe(msgspec.Struct, frozen=True):
    """One cheap request that is repeated."""

    path: str
    #: Seconds from one to the next.
    interval: float
    #: Reads the body of a 200; None: this engine shows no progress, only that it answers.
    progress: Callable[[bytes], Progress] | None


def _reader(busy: tuple[str, ...], work: tuple[str, ...]) -> Callable[[bytes], Progress]:
    def read(body: bytes) -> Progress:
        values: dict[str, float] = {}
        for name, value in _SAMPLE.findall(body.decode()):
            values[name] = values.get(name, 0.0) + float(value)
        # An engine that has done nothing yet leaves its counters out.
        return Progress(
            int(sum(values.get(name, 0.0) for name in busy)),
            sum(values.get(name, 0.0) for name in work),
        )

    return read


PROBES = {
    "llamacpp": Probe(
        "/metrics",
        1.0,
        _reader(
            ("llamacpp:requests_processing", "llamacpp:requests_deferred"),
            ("llamacpp:n_decode_total", "llamacpp:prompt_tokens_total"),
        ),
    ),
    "vllm": Probe(
        "/metrics",
        1.0,
        _reader(
            ("vllm:num_requests_running", "vllm:num_requests_waiting"),
            # A prompt's tokens are told when all are read; its cache fills meanwhile.
            (
                "vllm:generation_tokens_total",
                "vllm:prompt_tokens_total",
                "vllm:kv_cache_usage_perc",
            ),
        ),
    ),
    "oxlo": Probe("/metrics", 1.0, _reader(("oxlo_engine_busy",), ("oxlo_engine_work_total",))),
    "openai": Probe("/v1/models", 5.0, None),
}
