"""Loading a Whisper model, and observing one request's use of it."""

import copy
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from faster_whisper import WhisperModel

from oxlo.engines.whisper.config import Config
from oxlo.serving.process import CannotLoad


class Observed:
    """A CTranslate2 model that reports each encoder and decoder run as a step of the request."""

    def __init__(self, model: Any, step: Callable[[], None]) -> None:
        """`step` may raise to cancel the request."""
        self._model = model
        self._step = step

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def encode(self, *args: Any, **more: Any) -> Any:
        """Encode a window of 30 seconds."""
        self._step()
        return self._model.encode(*args, **more)

    def generate(self, *args: Any, **more: Any) -> Any:
        """Decode it to text; called again with a higher temperature if the text is unlikely."""
        self._step()
        return self._model.generate(*args, **more)


def observed(model: WhisperModel, step: Callable[[], None]) -> WhisperModel:
    """A copy that shares the weights and reports the steps of one request."""
    shared = copy.copy(model)
    shared.model = Observed(model.model, step)
    return shared


def load(config: Config) -> WhisperModel:
    """Load the model. Raises CannotLoad."""
    # The library wants one folder, but our files lie in one folder per sha256.
    with tempfile.TemporaryDirectory(prefix="oxlo-whisper-") as folder:
        for name, path in config.files.items():
            (Path(folder) / name).symlink_to(Path(path).absolute())
        try:
            return WhisperModel(
                folder,
                device=config.device,
                compute_type=config.compute_type,
                cpu_threads=config.threads,
                num_workers=config.slots,
                local_files_only=True,
            )
        except (RuntimeError, ValueError) as error:
            raise CannotLoad(f"the model could not be loaded: {error}") from None
