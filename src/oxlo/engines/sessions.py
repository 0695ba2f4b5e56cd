"""Opening onnxruntime sessions, for all engines that use it."""

from collections.abc import Iterator, Sequence
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
#: How long an idle thread spins during a run before it sleeps, microseconds.
_SPIN = "50"
#: The first onnxruntime with `spin_duration_us`.
_HAS_SPIN_DURATION = (1, 27)
#: Split operations into more blocks than threads, in decreasing size: a thread that is delayed by
#: another process, or by memory, then leaves more blocks to the others.
_SHARING = {"dynamic_block_base": "4"}
_BROKEN = (Fail, InvalidGraph, InvalidProtobuf, NoKernel, NoSuchFile, RuntimeException)


def session(
    model: Path | bytes, threads: int, device: Device, *, cpus: Sequence[Sequence[int]] = ()
) -> InferenceSession:
    """Load a model. Raises CannotLoad.

    `cpus` are those of each thread but the caller's, which runs its part itself; empty: any.
    """
    if _PROVIDERS[device] not in get_available_providers():
        raise CannotLoad("this onnxruntime has no CUDA: pip install onnxruntime-gpu instead of it")
    try:
        with _file(model) as path:
            return InferenceSession(path, _options(threads, cpus), [_PROVIDERS[device]])
    except (*_BROKEN, OSError) as error:
        raise CannotLoad(f"onnxruntime cannot load {_named(model)}: {error}") from error


@contextmanager
def _file(model: Path | bytes) -> Iterator[Path]:
    """A file to load from: a session that is given bytes keeps them in memory for good."""
    if isinstance(model, Path):
        yield model
        return
    with NamedTemporaryFile(prefix="oxlo-", suffix=".onnx") as file:
        file.write(model)
        file.flush()
        yield Path(file.name)


def _options(threads: int, cpus: Sequence[Sequence[int]]) -> SessionOptions:
    options = SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    for name, value in {**_SHARING, **spinning(__version__)}.items():
        options.add_session_config_entry(f"session.{name}", value)
    if cpus:
        options.add_session_config_entry("session.intra_op_thread_affinities", affinities(cpus))
    options.log_severity_level = 3
    return options


def affinities(cpus: Sequence[Sequence[int]]) -> str:
    """The CPUs of each thread as onnxruntime reads them: it counts from 1."""
    return ";".join(",".join(str(cpu + 1) for cpu in share) for share in cpus)


def spinning(version: str) -> dict[str, str]:
    """Session options for how threads wait: spin for microseconds within a run, never after it.

    A run has about a hundred operations; waking a sleeping thread for each takes a third of a short
    run. Spinning for longer, onnxruntime's default, takes CPU time from the gateway and the other
    engines.
    """
    major, minor = version.split(".")[:2]
    if (int(major), int(minor)) < _HAS_SPIN_DURATION:
        return {"intra_op.allow_spinning": "0"}
    return {"intra_op.spin_duration_us": _SPIN, "force_spinning_stop": "1"}


def _named(model: Path | bytes) -> str:
    return model.name if isinstance(model, Path) else "the converted model"
