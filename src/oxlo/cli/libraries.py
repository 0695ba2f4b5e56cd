"""What each kind of engine stands on, and whether it is installed."""

import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec

from oxlo.engines import vllm
from oxlo.settings import Settings


@dataclass(frozen=True, slots=True)
class Library:
    """The packages of one kind of engine."""

    name: str
    packages: tuple[str, ...]
    extra: str
    #: Prints the version, once the packages are imported.
    version: str

    @property
    def remedy(self) -> str:
        """How to install it."""
        return f"pip install 'oxlo[{self.extra}]'"

    @property
    def installed(self) -> bool:
        """Whether the packages are there; whether they work is another question."""
        return all(map(find_spec, self.packages))

    def loaded(self) -> "subprocess.CompletedProcess[str]":
        """Import the packages in a child, which a wrong build would crash."""
        program = f"import {', '.join(self.packages)}; print({self.version})"
        command = [sys.executable, "-c", program]
        return subprocess.run(command, capture_output=True, text=True, check=False)


#: By kind of engine. vLLM is a program, which may have an environment of its own.
LIBRARIES = {
    "llamacpp": Library(
        "llama.cpp", ("xllamacpp",), "llamacpp", "'xllamacpp', xllamacpp.__version__"
    ),
    "onnx": Library(
        "onnxruntime", ("onnxruntime", "tokenizers"), "embeddings", "onnxruntime.__version__"
    ),
    "whisper": Library(
        "faster-whisper", ("faster_whisper", "av"), "whisper", "faster_whisper.__version__"
    ),
    "kokoro": Library("kokoro-onnx", ("kokoro_onnx", "av"), "kokoro", "'PyAV', av.__version__"),
    "diffusers": Library(
        "diffusers", ("torch", "diffusers", "transformers"), "images", "diffusers.__version__"
    ),
}


def lacking(engine: str, settings: Settings) -> str:
    """How to install what a kind of engine lacks here; "" when it lacks nothing."""
    if engine == "vllm":
        return "" if vllm.program(settings) else "pip install 'oxlo[vllm]', or set OXLO_VLLM"
    library = LIBRARIES.get(engine)
    return library.remedy if library and not library.installed else ""
