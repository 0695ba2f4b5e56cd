"""Structured logging: one JSON object per line, or plain text on a terminal.

Each line has `event`, a stable name such as `control.ready`, and fields; never an API key.
"""

import logging
import re
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from oxlo.settings import Settings

#: Matches API keys; their first characters, which the database shows, too, are kept.
_SECRET = re.compile(r"\b(sk_[A-Za-z0-9_-]{4})[A-Za-z0-9_-]{12,}")


def configure(process: str, settings: Settings, *, stream: TextIO | None = None) -> None:
    """Send structlog and standard logging to `stream` (default stderr), tagged with `process`.

    Call it once, at the start of a process.
    """
    out = stream or sys.stderr
    shared = _processors(process)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(_formatter(shared, pretty=out.isatty() and not settings.log_json))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    # These libraries log every step; our own events are enough.
    for chatty in ("uvicorn.error", "alembic", "python_multipart"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def redact(text: str) -> str:
    """Truncate everything that looks like an API key to its first characters."""
    return _SECRET.sub(r"\1...", text)


def _processors(process: str) -> list[Processor]:
    def name_process(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {"process": process, **event}

    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        name_process,
    ]


def _formatter(shared: list[Processor], *, pretty: bool) -> logging.Formatter:
    render: list[Processor]
    if pretty:
        render = [structlog.dev.ConsoleRenderer(pad_event_to=28)]
    else:
        render = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        # Last, so that no field can put a key into the log.
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *render,
            _redact_line,
        ],
    )


def _redact_line(_logger: WrappedLogger, _method: str, line: EventDict | str) -> str:
    return redact(str(line))
