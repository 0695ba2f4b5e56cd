"""The engine kind `llamacpp`: GGUF models, one child process each (`llamacpp_child.py`)."""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from oxlo.catalogue import Model
from oxlo.engines import gguf
from oxlo.engines.base import CannotLaunch, EngineSpec, Launch
from oxlo.engines.launching import arguments, new_key, require
from oxlo.engines.llamacpp_child import BATCH, Config, Pooling
from oxlo.hardware.sizing import Size, contexts, decide
from oxlo.settings import Settings

#: Memory beside weights and KV cache, MiB, measured with batches of 512 tokens.
_SCRATCH_MB = 200


class Args(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a model file may set under `args`; 0: sized to the machine. Settings take precedence."""

    threads: int = 0
    slots: int = 0
    context: int = 0
    #: For embedding models; None: as the GGUF file says.
    pooling: Pooling | None = None
    #: Engines of this model.
    replicas: int = 1


class LlamaCpp:
    """llama.cpp's own HTTP server, from the xllamacpp wheel."""

    name = "llamacpp"

    def launch(self, spec: EngineSpec) -> Launch:
        """A child process with its own port and API key."""
        require(("xllamacpp",), "llama.cpp is", "llamacpp")
        model, settings = spec.model, spec.settings
        file, head, projector = _files(model, spec.weights)
        args = arguments(spec.variant, Args)
        embeds = "embeddings" in model.abilities
        per_token = gguf.bytes_per_token(head)
        size = decide(_configured(args, settings), spec.machine, model.context_length, per_token)
        config = Config(
            weights=str(file),
            projector=str(projector or ""),
            alias=model.id,
            threads=size.threads,
            slots=contexts(size.slots),
            context=size.context,
            embeds=embeds,
            pooling=args.pooling,
            batch=_whole_texts(size) if embeds else BATCH,
            cache_mb=settings.llamacpp_cache_mb,
            api_key=new_key(),
        )
        kept = (config.cache_mb << 20) // per_token if per_token else 0
        held = config.slots * config.context
        weights = sum(path.stat().st_size for path in spec.weights)
        ready = _launch(model, config, size.slots, held + kept)
        return _with_memory(
            ready, (weights + held * per_token >> 20) + _SCRATCH_MB + config.cache_mb
        )

    def explain(self, log: Sequence[str]) -> str:
        """The first error line; those after it repeat it in other words."""
        errors = [line.split(" E ", 1)[1] for line in log if " E " in line]
        return errors[0].partition(": ")[2] or errors[0] if errors else ""


def _configured(args: Args, settings: Settings) -> Size:
    return Size(
        settings.llamacpp_threads or args.threads,
        settings.llamacpp_slots or args.slots,
        settings.llamacpp_context or args.context,
    )


def _whole_texts(size: Size) -> int:
    """Batch size that takes a whole text; llama.cpp requires a multiple of its slots."""
    slots = contexts(size.slots)
    return -(-max(BATCH, size.context) // slots) * slots


def _files(model: Model, weights: Sequence[Path]) -> tuple[Path, dict[str, Any], Path | None]:
    """The model, its metadata and its projector, told apart by their metadata."""
    models: dict[Path, dict[str, Any]] = {}
    projectors = []
    for path in weights:
        head = gguf.read(path)
        if gguf.is_projector(head):
            projectors.append(path)
        else:
            models[path] = head
    if not models:
        raise CannotLaunch(f"the model file of {model.id} names no weights")
    if not projectors and "vision" in model.abilities:
        raise CannotLaunch(f"{model.id} sees, but its model file names no projector (mmproj)")
    file, head = next(iter(models.items()))
    return file, head, next(iter(projectors), None)


def _with_memory(ready: Launch, memory_mb: int) -> Launch:
    """Declare the memory: the KV cache is allocated at the start, the prompt cache fills later."""
    shown = ready.arguments | {"memory_mb": memory_mb}
    return msgspec.structs.replace(ready, memory_mb=memory_mb, arguments=shown)


def _launch(model: Model, config: Config, slots: int, cache_tokens: int) -> Launch:
    shown = msgspec.to_builtins(config)
    del shown["api_key"]
    shown["slots"] = slots
    return Launch(
        model=model.id,
        kind="llamacpp",
        dialect="llamacpp",
        engine_model=config.alias,
        slots=slots,
        context_length=config.context,
        cache_tokens=cache_tokens,
        build=f"xllamacpp-{version('xllamacpp')}",
        abilities=model.abilities,
        api_key=config.api_key,
        argv=(sys.executable, "-m", "oxlo.engines.llamacpp_child", model.id),
        config=msgspec.json.encode(config),
        arguments=shown,
    )
