"""onnxruntime sessions, as all engines on it open theirs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Literal

from onnxruntime import (
    InferenceSession,
    SessionOptions,
    __version__,
    get_available_providers,
)
from onnxruntime.capi.onnxruntime_pybind11_state import (
    Fail,
    InvalidGraph,
    InvalidProtobuf,
    NoSuchFile,
    RuntimeException,
)
from onnxruntime.capi.onnxruntime_pybind11_state import (
    NotImplemented as NoKernel,
)

from oxlo.serving.process import CannotLoad

Device = Literal["cpu", "cuda"]
_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
#: How long a thread looks for its next piece of a run before it sleeps, in microseconds.
_SPIN = "50"
#: The first onnxruntime that is known to let us say so.
_SPINS_BRIEFLY = (1, 27)
#: An operation is cut into more pieces than threads, the later the smaller: one that is held up by
#: a neighbour, or by the memory, leaves more of them to the others.
_SHARING = {"dynamic_block_base": "4"}
_BROKEN = (Fail, InvalidGraph, InvalidProtobuf, NoKernel, NoSuchFile, RuntimeException)


def session(model: Path | bytes, threads: int, device: Device) -> InferenceSession:
    """A model, loaded. Raises CannotLoad."""
    if _PROVIDERS[device] not in get_available_providers():
        raise CannotLoad("this onnxruntime has no CUDA: pip install onnxruntime-gpu instead of it")
    try:
        with _file(model) as path:
            return InferenceSession(path, _options(threads), [_PROVIDERS[device]])
    except (*_BROKEN, OSError) as error:
        raise CannotLoad(f"onnxruntime cannot load {_named(model)}: {error}") from error


@contextmanager
def _file(model: Path | bytes) -> Iterator[Path]:
    """Where the model lies while it is loaded: a session keeps bytes that it is given for good."""
    if isinstance(model, Path):
        yield model
        return
    with NamedTemporaryFile(prefix="oxlo-", suffix=".onnx") as file:
        file.write(model)
        file.flush()
        yield Path(file.name)


def _options(threads: int) -> SessionOptions:
    options = SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    for name, value in {**_SHARING, **waiting(__version__)}.items():
        options.add_session_config_entry(f"session.{name}", value)
    options.log_severity_level = 3
    return options


def waiting(version: str) -> dict[str, str]:
    """How threads wait for work: some microseconds within a run, and not at all after it.

    A run has a hundred pieces; putting a thread to sleep and waking it for each takes a third of a
    short run. Threads that spin for longer, as onnxruntime's own do, take the cores of the gateway
    and of the other engines.
    """
    major, minor = version.split(".")[:2]
    if (int(major), int(minor)) < _SPINS_BRIEFLY:
        return {"intra_op.allow_spinning": "0"}
    return {"intra_op.spin_duration_us": _SPIN, "force_spinning_stop": "1"}


def _named(model: Path | bytes) -> str:
    return model.name if isinstance(model, Path) else "the converted model"
