"""The engine kind `vllm`: one `vllm serve` per engine, on its assigned GPUs (`vllm_child.py`)."""

import math
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from oxlo.catalogue import Model, Variant
from oxlo.engines import vllm_flags
from oxlo.engines.base import CannotLaunch, EngineSpec, Launch
from oxlo.engines.launching import arguments, new_key
from oxlo.engines.vllm_child import Config
from oxlo.hardware.cards import CARDS
from oxlo.settings import Settings

#: A domain that does not exist, so that vLLM fetches no images: the gateway sends them as data.
_NO_DOMAIN = "none.invalid"
#: No telemetry, no downloads.
_ENVIRONMENT = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "HF_HUB_OFFLINE": "1"}
#: Time to release the GPUs, seconds.
_STOP_SECONDS = 30.0
#: An error message in a log line or at the end of a traceback.
_ERROR = re.compile(r"(?:^|\s)(\w[\w.]*(?:Error|Exception): .+|\S+: error: .+)")
#: Messages of its other processes when one has failed.
_CONSEQUENCES = ("Engine core initialization failed", "WorkerProc initialization failed")


class Args(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a model file may set under `args`."""

    #: GPUs per layer, and pipeline stages.
    tensor_parallel: Annotated[int, msgspec.Meta(ge=1)] = 1
    pipeline_parallel: Annotated[int, msgspec.Meta(ge=1)] = 1
    #: Context length in tokens; 0: the model's.
    max_model_len: Annotated[int, msgspec.Meta(ge=0)] = 0
    #: Concurrent sequences; also the slots that the gateway uses.
    max_num_seqs: Annotated[int, msgspec.Meta(ge=1)] = 32
    #: Share of each GPU's memory, if the variant has no `memory_mb`.
    gpu_memory_utilization: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.9
    dtype: str = "auto"
    #: "": as the weights declare.
    quantization: str = ""
    #: vLLM's names of parsers; "": none.
    tool_parser: str = ""
    reasoning_parser: str = ""
    #: Images in one request, for vision models.
    limit_images: Annotated[int, msgspec.Meta(ge=1)] = 8
    #: The repository contains code that vLLM must run; needs the operator's consent.
    remote_code: bool = False
    #: Timeout of the start in seconds: large models take long to load and compile.
    start_seconds: Annotated[float, msgspec.Meta(gt=0)] = 3600.0
    #: Engines of this model.
    replicas: Annotated[int, msgspec.Meta(ge=1)] = 1
    #: Additional command-line flags.
    extra: tuple[str, ...] = ()


class Vllm:
    """vLLM's HTTP server; it may be installed in a separate Python environment."""

    name = "vllm"

    def launch(self, spec: EngineSpec) -> Launch:
        """A child process around `vllm serve`, with its own port and API key."""
        args = arguments(spec.variant, Args)
        vllm_flags.check(args.extra)
        command = (
            _program(spec.settings),
            "serve",
            str(_weights(spec, args)),
            *_flags(spec.model, args, _share(spec.variant, args)),
        )
        config = Config(command=command, environment=_ENVIRONMENT, api_key=new_key())
        return _launch(spec.model, args, config)

    def explain(self, log: Sequence[str]) -> str:
        """The first error in the log that is not a consequence of another process's failure."""
        errors = [match[1] for line in log if (match := _ERROR.search(line))]
        causes = [error for error in errors if not any(each in error for each in _CONSEQUENCES)]
        return (causes or errors or [""])[0]


def _weights(spec: EngineSpec, args: Args) -> Path:
    model, agreed = spec.model.id, spec.settings.remote_code
    if len(spec.weights) != 1 or not spec.weights[0].is_dir():
        raise CannotLaunch(f"the model file of {model} names no repository for vLLM")
    folder = spec.weights[0]
    if args.remote_code and model not in agreed:
        raise CannotLaunch(
            f"vLLM would have to run the program code in {folder}: read it, then allow it with "
            f"OXLO_REMOTE_CODE={','.join((*agreed, model))}"
        )
    return folder


def program(settings: Settings) -> str | None:
    """vLLM's executable, from PATH or from the directory of our own interpreter."""
    beside = str(Path(sys.executable).parent)
    return shutil.which(settings.vllm) or shutil.which(settings.vllm, path=beside)


def _program(settings: Settings) -> str:
    found = program(settings)
    if found is None:
        raise CannotLaunch(
            f"the program {settings.vllm!r} is not here: pip install 'oxlo[vllm]', or install vLLM "
            "into an environment of its own and set OXLO_VLLM to its program"
        )
    return found


def _share(variant: Variant, args: Args) -> float:
    """The share of a GPU's memory, rounded down so that engines that share a GPU fit together."""
    card = CARDS.get(variant.hardware)
    if variant.memory_mb is None or card is None:
        return args.gpu_memory_utilization
    return min(1.0, math.floor(1000 * variant.memory_mb / card.memory_mb) / 1000)


def _flags(model: Model, args: Args, share: float) -> Iterator[str]:
    """All settings as vLLM's flags, so that none of its defaults applies."""
    decided = {
        "served-model-name": model.id,
        "tensor-parallel-size": args.tensor_parallel,
        "pipeline-parallel-size": args.pipeline_parallel,
        "max-model-len": args.max_model_len or model.context_length,
        "max-num-seqs": args.max_num_seqs,
        "gpu-memory-utilization": share,
        "dtype": args.dtype,
        "scheduling-policy": "priority",
        # Otherwise the repository's sampling parameters would replace OpenAI's defaults.
        "generation-config": "vllm",
        "quantization": args.quantization,
        "tool-call-parser": args.tool_parser,
        "reasoning-parser": args.reasoning_parser,
    }
    yield from (part for flag, value in decided.items() if value for part in _pair(flag, value))
    yield "--enable-prefix-caching"
    yield "--enable-prompt-tokens-details"
    yield "--no-enable-log-requests"
    yield "--disable-uvicorn-access-log"
    if args.tool_parser:
        yield "--enable-auto-tool-choice"
    if args.remote_code:
        yield "--trust-remote-code"
    if "vision" in model.abilities:
        limits = {"image": args.limit_images, "video": 0, "audio": 0}
        yield from _pair("limit-mm-per-prompt", msgspec.json.encode(limits).decode())
        yield from _pair("allowed-media-domains", _NO_DOMAIN)
    yield from args.extra


def _pair(flag: str, value: object) -> tuple[str, str]:
    return f"--{flag}", str(value)


def _launch(model: Model, args: Args, config: Config) -> Launch:
    return Launch(
        model=model.id,
        kind="vllm",
        dialect="vllm",
        engine_model=model.id,
        slots=args.max_num_seqs,
        context_length=args.max_model_len or model.context_length,
        abilities=model.abilities,
        api_key=config.api_key,
        argv=(sys.executable, "-m", "oxlo.engines.vllm_child", model.id),
        config=msgspec.json.encode(config),
        start_seconds=args.start_seconds,
        stop_seconds=_STOP_SECONDS,
        arguments={"command": " ".join(config.command), "environment": config.environment},
    )
