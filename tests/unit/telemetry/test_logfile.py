"""Files that the logs of other processes are written to."""

import logging
from pathlib import Path

import pytest
from tests.disks import full_disk

from oxlo.telemetry.logfile import LogFile


def test_a_full_disk_is_silent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is not taken is lost without a word, and later lines are whole."""
    log = LogFile(tmp_path / "engine.log", max_bytes=1000, before=1)
    write = [logging.makeLogRecord({"msg": word * 20}) for word in ("one ", "two ", "three ")]
    log.emit(write[0])
    with full_disk():
        log.emit(write[1])
    log.emit(write[2])
    log.close()
    assert capsys.readouterr().err == ""
    lines = (tmp_path / "engine.log").read_text().splitlines()
    assert lines[0] == "one " * 20
    assert lines[-1] == "three " * 20
