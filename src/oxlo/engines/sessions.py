"""onnxruntime sessions, as all engines on it open theirs."""

from pathlib import Path
from typing import Literal

from onnxruntime import InferenceSession, SessionOptions, get_available_providers
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

from oxlo.engines.serving.process import CannotLoad

Device = Literal["cpu", "cuda"]
_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
_BROKEN = (Fail, InvalidGraph, InvalidProtobuf, NoKernel, NoSuchFile, RuntimeException)


def session(model: Path | bytes, threads: int, device: Device) -> InferenceSession:
    """A model, loaded. Raises CannotLoad."""
    if _PROVIDERS[device] not in get_available_providers():
        raise CannotLoad("this onnxruntime has no CUDA: pip install onnxruntime-gpu instead of it")
    try:
        return InferenceSession(model, _options(threads), [_PROVIDERS[device]])
    except _BROKEN as error:
        raise CannotLoad(f"onnxruntime cannot load {_named(model)}: {error}") from error


def _options(threads: int) -> SessionOptions:
    options = SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that spin while they wait take the cores of the other engines.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return options


def _named(model: Path | bytes) -> str:
    return model.name if isinstance(model, Path) else "the converted model"
