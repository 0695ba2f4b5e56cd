"""The libraries that each kind of engine needs, and whether they are installed."""

import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec

from oxlo.engines import vllm
from oxlo.settings import Settings


@dataclass(frozen=True, slots=True)
class Library:
    """The library of one kind of engine, with its Python packages."""

    name: str
    packages: tuple[str, ...]
    extra: str
    #: Expressions to print, after the imports.
    version: str

    @property
    def remedy(self) -> str:
        """The command that installs it."""
        return f"pip install 'oxlo[{self.extra}]'"

    @property
    def installed(self) -> bool:
        """Whether the packages are installed; they are not imported."""
        return all(map(find_spec, self.packages))

    def loaded(self) -> "subprocess.CompletedProcess[str]":
        """Import the packages in a child process, because an unsuitable build may crash."""
        program = f"import {', '.join(self.packages)}; print({self.version})"
        command = [sys.executable, "-c", program]
        return subprocess.run(command, capture_output=True, text=True, check=False)


#: By kind of engine. vLLM is missing: it is a program, often in a separate environment.
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
    """How to install the missing library of a kind of engine; "" if nothing is missing."""
    if engine == "vllm":
        return "" if vllm.program(settings) else "pip install 'oxlo[vllm]', or set OXLO_VLLM"
    library = LIBRARIES.get(engine)
    return library.remedy if library and not library.installed else ""
