"""All engine kinds, by the name that a model file uses."""

from oxlo.engines.base import CannotLaunch, Kind
from oxlo.engines.diffusion.kind import Diffusers
from oxlo.engines.kokoro.kind import Kokoro
from oxlo.engines.llamacpp import LlamaCpp
from oxlo.engines.onnx import Onnx
from oxlo.engines.upstream import Upstream
from oxlo.engines.vllm import Vllm
from oxlo.engines.whisper.kind import Whisper

_ALL: tuple[Kind, ...] = (
    LlamaCpp(),
    Onnx(),
    Diffusers(),
    Whisper(),
    Kokoro(),
    Vllm(),
    Upstream(),
)
KINDS = {kind.name: kind for kind in _ALL}


def kind(name: str) -> Kind:
    """Look up a kind. Raises CannotLaunch."""
    if name not in KINDS:
        raise CannotLaunch(f"unknown engine kind {name!r}; known: {', '.join(KINDS)}")
    return KINDS[name]
