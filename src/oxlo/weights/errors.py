"""Errors about weights.

WeightsError
├── SourceFailed    one source failed; the next one is tried
│   └── Corrupt     the file is damaged; it is fetched once more from the beginning
│       └── WrongHash
├── NoSource        all sources failed
├── DiskFull
├── UnsafeFormat
└── Stopped         another file failed, or the user interrupted
"""

from collections.abc import Sequence

from oxlo.errors import OperatorError


class WeightsError(OperatorError):
    """Weights could not be had; the message tells the user what to do."""


class SourceFailed(WeightsError):
    """One source did not give the file."""


class Corrupt(SourceFailed):
    """What arrived is damaged."""


class WrongHash(Corrupt):
    """What arrived is whole, but another file than the catalogue names."""

    def __init__(self, what: str, source: str, expected: str, found: str) -> None:
        super().__init__(
            f"{what} from {source} has sha256 {found}, expected {expected}; it is not used"
        )


class NoSource(WeightsError):
    """Every source failed."""

    def __init__(self, name: str, failures: Sequence[tuple[str, SourceFailed]]) -> None:
        self.failures = tuple(failures)
        reasons = "; ".join(f"{source}: {error}" for source, error in failures)
        super().__init__(
            f"{name} could not be fetched from any source. {reasons or 'Its entry names none'}."
            " Check the network and proxy settings, or add a source to its model file"
            " (a folder works offline), then run the command again: it goes on where it stopped."
        )


class DiskFull(WeightsError):
    """There is not enough room for the file."""

    def __init__(self, name: str, folder: object, needed: int, free: int) -> None:
        super().__init__(
            f"{name} needs {needed} bytes of disk, but {folder} has {free} bytes free."
            " Make room, or set OXLO_HOME to a folder on a larger disk."
        )


class UnsafeFormat(WeightsError):
    """The file is in a format that can run code when it is loaded."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(
            f"{name} is refused: {why}, which can run code when it is loaded."
            " Use a safetensors, GGUF or ONNX file instead."
        )


class Stopped(WeightsError):
    """The download was stopped; what has arrived is kept for the next time."""
