"""What an engine of this kind is told: everything that is decided before it starts."""

from typing import Literal

import msgspec

from oxlo.wire.sizes import Sizes

#: Numbers that weights are held and computed in; "": 32 bits on a CPU, 16 on a GPU.
Precision = Literal["", "float32", "float16", "bfloat16"]
#: Parts of a pipeline that wait in the machine's memory until the GPU needs them.
Offload = Literal["none", "model", "sequential"]
#: Samplers by the names that they go by; "": the one that the pipeline came with.
Sampler = Literal[
    "", "ddim", "dpm++", "euler", "euler-ancestral", "euler-trailing", "lcm", "unipc"
]  # fmt: skip


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """One engine."""

    #: A pipeline as diffusers saves it: `model_index.json` and a folder for each part.
    folder: str
    sizes: Sizes
    #: Steps from noise to image, and how closely to keep to the prompt, where a call does not say.
    steps: int
    guidance: float
    #: The most steps that may be asked for.
    most_steps: int = 500
    #: Pipelines that share the weights; each draws one call at a time.
    pipelines: int = 1
    #: Calls that are sent here at once.
    slots: int = 2
    #: Threads of a CPU for each call that is drawn; 0: torch decides.
    threads: int = 0
    dtype: Precision = ""
    scheduler: Sampler = ""
    offload: Offload = "none"
    api_key: str = ""
    port: int = 0
