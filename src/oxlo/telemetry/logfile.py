"""Log files for the output of other processes."""

from logging import LogRecord
from logging.handlers import RotatingFileHandler
from pathlib import Path


class LogFile(RotatingFileHandler):
    """A log file of bounded size; lines that do not fit on a full disk are lost."""

    def __init__(self, path: Path, *, max_bytes: int, before: int) -> None:
        """`max_bytes` is the limit per file; `before` is the number of older files to keep."""
        super().__init__(path, maxBytes=max_bytes, backupCount=before, delay=True)

    def handleError(self, record: LogRecord) -> None:  # noqa: N802 - logging's name
        """Ignore errors: a traceback for each line would hide everything else."""
