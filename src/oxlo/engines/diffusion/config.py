"""The configuration of an image engine, complete before its process starts."""

from typing import Literal

import msgspec

from oxlo.wire.sizes import Size, Sizes

#: Data type of weights and activations; "": float32 on a CPU, float16 on a GPU.
Precision = Literal["", "float32", "float16", "bfloat16"]
#: Parts of the pipeline that stay in main memory until the GPU needs them.
Offload = Literal["none", "model", "sequential"]
#: Schedulers by their common names; "": the pipeline's own.
Sampler = Literal[
    "", "ddim", "dpm++", "euler", "euler-ancestral", "euler-trailing", "lcm", "unipc"
]  # fmt: skip


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """One engine."""

    #: A pipeline as diffusers saves it: `model_index.json` and a folder for each component.
    folder: str
    sizes: Sizes
    #: The only size that the network draws: others are that drawing, scaled. None: it draws all.
    drawn: Size | None = None
    #: Defaults for requests that do not say.
    steps: int
    guidance: float
    #: The most steps that a request may ask for.
    most_steps: int = 500
    #: Pipelines that share the weights; each runs one request at a time.
    pipelines: int = 1
    #: Requests that the gateway sends concurrently.
    slots: int = 2
    #: CPU threads for each running request; 0: torch decides.
    threads: int = 0
    dtype: Precision = ""
    scheduler: Sampler = ""
    offload: Offload = "none"
    api_key: str = ""
    port: int = 0
