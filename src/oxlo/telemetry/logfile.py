"""Files that the logs of other processes are written to."""

from logging import LogRecord
from logging.handlers import RotatingFileHandler
from pathlib import Path


class LogFile(RotatingFileHandler):
    """Lines in a file of bounded size; those that a full disk does not take are lost."""

    def __init__(self, path: Path, *, max_bytes: int, before: int) -> None:
        """At most `max_bytes` a file, and `before` predecessors beside it."""
        super().__init__(path, maxBytes=max_bytes, backupCount=before, delay=True)

    def handleError(self, record: LogRecord) -> None:  # noqa: N802 - logging's name
        """Nothing: whoever talks goes on, and a traceback for each line would hide all else."""
