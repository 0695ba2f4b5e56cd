"""A loaded Whisper model, and one call's use of it."""

import copy
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from faster_whisper import WhisperModel

from oxlo.engines.whisper.config import Config
from oxlo.serving.process import CannotLoad


class Watched:
    """The part of a model that computes, for one call: each piece of its work is a step."""

    def __init__(self, part: Any, step: Callable[[], None]) -> None:
        """`step` may raise, which ends the call."""
        self._part = part
        self._step = step

    def __getattr__(self, name: str) -> Any:
        return getattr(self._part, name)

    def encode(self, *args: Any, **more: Any) -> Any:
        """Hear a window of 30 seconds."""
        self._step()
        return self._part.encode(*args, **more)

    def generate(self, *args: Any, **more: Any) -> Any:
        """Find words for it; several times where they are unlikely."""
        self._step()
        return self._part.generate(*args, **more)


def watched(model: WhisperModel, step: Callable[[], None]) -> WhisperModel:
    """The same model, for one call."""
    own = copy.copy(model)
    own.model = Watched(model.model, step)
    return own


def load(config: Config) -> WhisperModel:
    """The model that the configuration describes. Raises CannotLoad."""
    # The library wants one folder; files that are known by their hashes lie in one each.
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
