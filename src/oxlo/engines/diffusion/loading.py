"""Loading a pipeline from safetensors onto the best device there is."""

from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers

from oxlo.engines.diffusion.config import Config, Sampler
from oxlo.serving.process import CannotLoad

#: The class of each sampler, and its settings beyond those of the pipeline's scheduler.
_SAMPLERS: dict[Sampler, tuple[str, dict[str, object]]] = {
    "ddim": ("DDIMScheduler", {}),
    "dpm++": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++"}),
    "euler": ("EulerDiscreteScheduler", {}),
    "euler-ancestral": ("EulerAncestralDiscreteScheduler", {}),
    "euler-trailing": ("EulerDiscreteScheduler", {"timestep_spacing": "trailing"}),
    "lcm": ("LCMScheduler", {}),
    "unipc": ("UniPCMultistepScheduler", {}),
}


def device() -> str:
    """A GPU if there is one."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def load(config: Config, on: str) -> Any:
    """The pipeline, ready to run on device `on`. Raises CannotLoad."""
    for library in (diffusers, transformers):
        library.logging.set_verbosity_error()  # their warnings quote prompts
        library.logging.disable_progress_bar()
    if config.threads and on == "cpu":
        torch.set_num_threads(config.threads)
    pipeline = _read(config, on)
    if config.scheduler:
        pipeline.scheduler = _sampler(config.scheduler, pipeline.scheduler.config)
    return _placed(pipeline, config, on)


def _read(config: Config, on: str) -> Any:
    dtype = config.dtype or ("float32" if on == "cpu" else "float16")
    try:
        return diffusers.DiffusionPipeline.from_pretrained(
            Path(config.folder),
            dtype=getattr(torch, dtype),
            use_safetensors=True,  # never pickles: they can run code
            local_files_only=True,
            trust_remote_code=False,
        )
    except (OSError, ValueError, KeyError) as error:
        raise CannotLoad(
            f"{config.folder} is not a diffusers pipeline of safetensors files: {error}"
        ) from error


def _sampler(name: Sampler, settings: Any) -> Any:
    class_name, extra = _SAMPLERS[name]
    return getattr(diffusers, class_name).from_config(settings, **extra)


def _placed(pipeline: Any, config: Config, on: str) -> Any:
    """The pipeline on its device: as a whole, or with offload component by component."""
    if config.offload != "none" and on == "cpu":
        raise CannotLoad("offload needs a GPU, and none was found")
    if config.offload == "model":
        pipeline.enable_model_cpu_offload(device=on)
    elif config.offload == "sequential":
        pipeline.enable_sequential_cpu_offload(device=on)
    else:
        pipeline.to(on)
    return pipeline
