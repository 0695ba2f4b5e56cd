"""Log lines: JSON, with stable fields, and never a key."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from oxlo.settings import Settings
from oxlo.telemetry import logs

KEY = "sk_abcdEFGHijklMNOPqrstUVWXyz0123456789-_ABCDE"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What is logged, with logging put back as it was afterwards."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    out = io.StringIO()
    logs.configure("control", Settings(), stream=out)
    yield out
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


def _only(out: io.StringIO) -> dict[str, Any]:
    (line,) = out.getvalue().splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def test_structlog_lines(lines: io.StringIO) -> None:
    """A line has its event, level, process, time and fields."""
    structlog.get_logger().warning("drain.late", bytes=5)
    line = _only(lines)
    assert line["timestamp"].endswith("Z")
    del line["timestamp"]
    assert line == {"event": "drain.late", "level": "warning", "process": "control", "bytes": 5}


def test_library_lines(lines: io.StringIO) -> None:
    """What libraries log looks the same."""
    logging.getLogger("some.library").error("it broke: %s", 7)
    line = _only(lines)
    assert (line["event"], line["level"], line["process"]) == ("it broke: 7", "error", "control")


def test_level_of_the_settings(lines: io.StringIO) -> None:
    """What is below the level is not written."""
    structlog.get_logger().debug("too.much")
    assert lines.getvalue() == ""


def test_no_line_has_a_key(lines: io.StringIO) -> None:
    """Keys are cut wherever they stand: event, field, nested value, exception."""
    log = structlog.get_logger()
    try:
        int(f"Bearer {KEY}")
    except ValueError:
        log.exception(f"failed.{KEY}", headers={"authorization": [f"Bearer {KEY}"]})
    assert KEY[8:] not in lines.getvalue()
    line = _only(lines)
    assert line["headers"] == {"authorization": ["Bearer sk_abcd..."]}
    assert "Traceback" in line["exception"]


def test_redaction_leaves_the_rest() -> None:
    """Only what looks like a key is cut."""
    assert logs.redact(f"a {KEY} b") == "a sk_abcd... b"
    assert logs.redact("sk_short task_1234567890123456") == "sk_short task_1234567890123456"
