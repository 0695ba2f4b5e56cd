"""The process of one llama.cpp engine.

It reads one line of JSON, its configuration, from stdin, and writes its address to stdout as one
line of JSON. It exits when stdin ends, so that it never outlives its parent. llama.cpp logs to
stderr.
"""

import os
import sys
from typing import Any, Literal, NoReturn

import msgspec

from oxlo.serving.channel import fail, say
from oxlo.serving.confine import no_connections

Pooling = Literal["mean", "cls", "last"]
#: Prompt tokens per batch. Health polls and the streams of other slots wait for a batch, so it is
#: below llama.cpp's default of 2048.
BATCH = 512
#: llama.cpp's log levels: 1 errors, 2 warnings, 3 lines for each request.
_VERBOSITY = 2


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """All arguments, in llama.cpp's units."""

    weights: str
    #: Path of the vision projector (mmproj); "": text only.
    projector: str = ""
    #: The model's name at the engine.
    alias: str
    threads: int
    #: llama.cpp's slots: those that requests use, and more for requests with `n` above 1.
    slots: int
    #: Context length of one slot, tokens.
    context: int
    #: Whether it is an embedding model.
    embeds: bool = False
    pooling: Pooling | None = None
    #: Prompt cache outside the slots, MB; llama.cpp's default is 8192.
    cache_mb: int
    api_key: str
    port: int = 0
    batch: int = BATCH
    #: Each keep-alive connection occupies one: gateways keep some, and the fleet polls health.
    http_threads: int = 32


def serve(config: Config) -> NoReturn:
    """Load the model, announce the address, and serve until stdin ends."""
    try:
        from xllamacpp import Server

        server = Server(_params(config))
    except ImportError:
        fail("llama.cpp is not installed: pip install 'oxlo[llamacpp]'")
    except RuntimeError:
        fail(f"llama.cpp could not load {config.weights}")  # its log, on stderr, says why
    say({"event": "listening", "address": server.listening_address})
    sys.stdin.buffer.read()
    # Skip llama.cpp's destructors, which wait for running requests: draining is over by now.
    os._exit(0)


def _params(config: Config) -> Any:
    from xllamacpp import CommonParams, common_reasoning_format, llama_pooling_type

    params = CommonParams()
    params.model.path = config.weights
    params.mmproj.path = config.projector
    params.mmproj_use_gpu = False
    # Never run a local ffmpeg on uploads.
    params.video_ffmpeg_bin_dir = os.devnull
    params.model_alias = {config.alias}
    params.hostnames = ["127.0.0.1"]
    params.port = config.port
    params.api_keys = [config.api_key] if config.api_key else []
    params.n_threads_http = config.http_threads
    params.n_parallel = config.slots
    params.n_ctx = config.context * config.slots
    params.kv_unified = False
    params.n_batch = params.n_ubatch = config.batch
    params.embedding = config.embeds
    if config.pooling:
        params.pooling_type = llama_pooling_type[f"LLAMA_POOLING_TYPE_{config.pooling.upper()}"]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = config.threads
    params.cache_ram_mib = config.cache_mb
    params.use_jinja = True
    # Reasoning goes to its own field, whatever the default is.
    params.reasoning_format = common_reasoning_format.COMMON_REASONING_FORMAT_DEEPSEEK
    params.endpoint_slots = params.endpoint_metrics = True
    params.sse_ping_interval = -1  # the gateway sends its own comments
    params.verbosity = _VERBOSITY
    return params


def main() -> None:
    """Read the configuration and serve."""
    no_connections()  # otherwise it would fetch images from any URL in a request
    serve(msgspec.json.decode(sys.stdin.buffer.readline(), type=Config))


if __name__ == "__main__":
    main()
