"""The child process that is one llama.cpp engine.

It reads its configuration, one line of JSON, from stdin; says on stdout where it listens, in one
line of JSON; and dies when stdin ends, so that no engine outlives its parent, however that died.
llama.cpp's log is on stderr.
"""

import os
import sys
from typing import Any, Literal, NoReturn

import msgspec

from oxlo.serving.channel import fail, say
from oxlo.serving.confine import no_connections

Pooling = Literal["mean", "cls", "last"]
#: Tokens of a prompt computed between two looks at the queue: health polls and the streams of
#: other slots wait that long, so it is below llama.cpp's 2048.
BATCH = 512
#: llama.cpp's levels: 1 errors, 2 warnings, 3 a line or more for each request.
_VERBOSITY = 2


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Every argument that is decided, in llama.cpp's units."""

    weights: str
    #: What makes pictures its tokens; "": it sees none.
    projector: str = ""
    #: The model's name at the engine.
    alias: str
    threads: int
    #: llama.cpp's own slots: those that calls are sent to, and what an `n` above them needs.
    slots: int
    #: Tokens of context of one slot.
    context: int
    #: Whether it makes vectors instead of answers.
    embeds: bool = False
    pooling: Pooling | None = None
    #: Megabytes for prompts kept outside the slots; llama.cpp itself would take 8192.
    cache_mb: int
    api_key: str
    port: int = 0
    batch: int = BATCH
    #: A kept-alive connection holds one: gateways keep some, and the fleet asks for health.
    http_threads: int = 32


def serve(config: Config) -> NoReturn:
    """Load the model, announce the address, and live until stdin ends."""
    try:
        from xllamacpp import Server

        server = Server(_params(config))
    except ImportError:
        fail("llama.cpp is not installed: pip install 'oxlo[llamacpp]'")
    except RuntimeError:
        fail(f"llama.cpp could not load {config.weights}")  # its log, on stderr, says why
    say({"event": "listening", "address": server.listening_address})
    sys.stdin.buffer.read()
    # llama.cpp's destructors wait for requests under way: those were given their time before.
    os._exit(0)


def _params(config: Config) -> Any:
    from xllamacpp import CommonParams, common_reasoning_format, llama_pooling_type

    params = CommonParams()
    params.model.path = config.weights
    params.mmproj.path = config.projector
    params.mmproj_use_gpu = False
    # Bytes that are no picture are not handed to a program that may happen to be installed.
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
    # Thoughts of their own field, whatever its default is.
    params.reasoning_format = common_reasoning_format.COMMON_REASONING_FORMAT_DEEPSEEK
    params.endpoint_slots = params.endpoint_metrics = True
    params.sse_ping_interval = -1  # the gateway sends its own comments
    params.verbosity = _VERBOSITY
    return params


def main() -> None:
    """Read the configuration and serve."""
    no_connections()  # it would fetch a picture from any address that it is given
    serve(msgspec.json.decode(sys.stdin.buffer.readline(), type=Config))


if __name__ == "__main__":
    main()
