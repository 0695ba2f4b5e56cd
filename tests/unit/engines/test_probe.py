"""What engines tell about themselves."""

from oxlo.engines.probe import PROBES, Progress
from oxlo.fleet.fetch import fetch
from oxlo.testing.engine import EngineDouble

VLLM = b"""\
# HELP vllm:num_requests_running Number of requests in model execution batches.
vllm:num_requests_running{engine="0",model_name="m"} 3.0
vllm:num_requests_running{engine="1",model_name="m"} 1.0
vllm:num_requests_waiting{engine="0",model_name="m"} 2.0
vllm:prompt_tokens_total{engine="0",model_name="m"} 1.5e+06
vllm:generation_tokens_total{engine="0",model_name="m"} 10.0
vllm:generation_tokens_created{engine="0",model_name="m"} 1.7e+09
"""
LLAMACPP = b"""\
# TYPE llamacpp:n_decode_total counter
llamacpp:n_decode_total 10
llamacpp:prompt_tokens_total 34
llamacpp:requests_processing 1
llamacpp:requests_deferred 2
llamacpp:predicted_tokens_seconds 43.6376
"""


def read(dialect: str, body: bytes) -> Progress:
    progress = PROBES[dialect].progress
    assert progress
    return progress(body)


def test_llamacpp() -> None:
    """Running and deferred calls are busy; decodes and prompt tokens are work."""
    assert read("llamacpp", LLAMACPP) == Progress(busy=3, work=44.0)


def test_vllm_sums_its_engines() -> None:
    """Counters of several engines behind one server are summed."""
    assert read("vllm", VLLM) == Progress(busy=6, work=1_500_010.0)


def test_a_long_prompt_is_progress() -> None:
    """vLLM tells a prompt's tokens when it has read them all; until then its cache fills."""
    usage = b'vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.125'
    assert read("vllm", VLLM + usage).work == 1_500_010.125


def test_unused_engine_has_no_counters() -> None:
    """Counters that are not there yet are zero."""
    assert read("vllm", b"") == Progress(busy=0, work=0.0)


async def test_double_agrees() -> None:
    """The shipped double tells its progress as the real engines do."""
    for dialect in ("llamacpp", "vllm"):
        async with EngineDouble(dialect) as double:
            ask = {"messages": [], "stream": True}
            await fetch(double.address, "/v1/chat/completions", body=ask, deadline=60)
            reply = await fetch(double.address, "/metrics", deadline=60)
        assert read(dialect, reply.body) == Progress(busy=0, work=3.0)
