"""The kind `llamacpp`: GGUF models on a CPU, one child process each (`llamacpp_child.py`)."""

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

#: What it takes beside weights and contexts, MiB: seen with batches of 512 tokens.
_SCRATCH_MB = 200


class Args(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a model file may say under `args`; 0: sized to the machine. Settings win over these."""

    threads: int = 0
    slots: int = 0
    context: int = 0
    #: Of embedding models; None: as the model's own file says.
    pooling: Pooling | None = None
    #: How many engines of this model run.
    replicas: int = 1


class LlamaCpp:
    """llama.cpp's own HTTP server, from the xllamacpp wheel."""

    name = "llamacpp"

    def launch(self, spec: EngineSpec) -> Launch:
        """A child process with its own port and its own key."""
        require(("xllamacpp",), "llama.cpp is", "llamacpp")
        model, settings = spec.model, spec.settings
        file, head, projector = _files(model, spec.weights)
        args = arguments(spec.variant, Args)
        embeds = "embeddings" in model.abilities
        per_token = gguf.bytes_per_token(head)
        size = decide(_wish(args, settings), spec.machine, model.context_length, per_token)
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
        return _weighed(ready, (weights + held * per_token >> 20) + _SCRATCH_MB + config.cache_mb)

    def explain(self, log: Sequence[str]) -> str:
        """llama.cpp's first error line names the cause; those after it repeat it."""
        errors = [line.split(" E ", 1)[1] for line in log if " E " in line]
        return errors[0].partition(": ")[2] or errors[0] if errors else ""


def _wish(args: Args, settings: Settings) -> Size:
    return Size(
        settings.llamacpp_threads or args.threads,
        settings.llamacpp_slots or args.slots,
        settings.llamacpp_context or args.context,
    )


def _whole_texts(size: Size) -> int:
    """A text is read at once; llama.cpp takes means only in multiples of its slots."""
    slots = contexts(size.slots)
    return -(-max(BATCH, size.context) // slots) * slots


def _files(model: Model, weights: Sequence[Path]) -> tuple[Path, dict[str, Any], Path | None]:
    """The model's file, its head, and its projector: each says itself which it is."""
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


def _weighed(ready: Launch, memory_mb: int) -> Launch:
    """Contexts are taken whole at the start; the prompt cache fills while it runs."""
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
