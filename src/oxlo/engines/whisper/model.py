"""A loaded Whisper model, and one call's use of it."""

import copy
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from faster_whisper import WhisperModel

from oxlo.engines.serving.process import CannotLoad
from oxlo.engines.whisper.config import Config


class Model(WhisperModel):  # type: ignore[misc]  # the library has no types
    """Tells of each window of 30 seconds that is heard: that is progress, and may end the call."""

    step: Callable[[], None]

    def watched(self, step: Callable[[], None]) -> "Model":
        """The same model for one call; `step` is called before each window and may raise."""
        own = copy.copy(self)
        own.step = step
        return own

    def encode(self, features: Any) -> Any:
        """Hear one window."""
        self.step()
        return super().encode(features)


def load(config: Config) -> Model:
    """The model that the configuration describes. Raises CannotLoad."""
    # The library wants one folder; files that are known by their hashes lie in one each.
    with tempfile.TemporaryDirectory(prefix="oxlo-whisper-") as folder:
        for name, path in config.files.items():
            (Path(folder) / name).symlink_to(Path(path).absolute())
        try:
            return Model(
                folder,
                device=config.device,
                compute_type=config.compute_type,
                cpu_threads=config.threads,
                num_workers=config.slots,
                local_files_only=True,
            )
        except (RuntimeError, ValueError) as error:
            raise CannotLoad(f"the model could not be loaded: {error}") from None
