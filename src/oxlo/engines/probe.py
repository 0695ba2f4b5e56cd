"""Health probes by dialect: where an engine reports that it is alive and progressing. Pure."""

import re
from collections.abc import Callable

import msgspec

_SAMPLE = re.compile(r"^([a-z_:]+)(?:\{[^}]*\})? ([0-9.eE+-]+)$", re.MULTILINE)


class Progress(msgspec.Struct, frozen=True):
    """Progress as an engine reports it."""

    #: Requests running or queued in the engine.
    busy: int
    #: A counter that grows while the engine works.
    work: float


class Probe(msgspec.Struct, frozen=True):
    """A cheap request to poll."""

    path: str
    #: Seconds between polls.
    interval: float
    #: Parses the body of a 200; None: the engine reports no progress, only that it answers.
    progress: Callable[[bytes], Progress] | None


def _reader(busy: tuple[str, ...], work: tuple[str, ...]) -> Callable[[bytes], Progress]:
    def read(body: bytes) -> Progress:
        values: dict[str, float] = {}
        for name, value in _SAMPLE.findall(body.decode()):
            values[name] = values.get(name, 0.0) + float(value)
        # Counters are missing until their first increment.
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
            # Prompt tokens are counted at the end of prefill; KV cache usage grows during it.
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
