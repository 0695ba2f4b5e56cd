"""How onnxruntime's threads wait for work."""

import pytest

pytest.importorskip("onnxruntime")

from oxlo.engines.sessions import spinning


def test_threads_look_for_work_within_a_run_only() -> None:
    """Some microseconds, and never after it."""
    assert spinning("1.32.0") == {"intra_op.spin_duration_us": "50", "force_spinning_stop": "1"}


@pytest.mark.parametrize("version", ["1.22.1", "1.26.0"])
def test_an_older_library_would_spin_for_long(version: str) -> None:
    """It knows no duration, so its threads sleep."""
    assert spinning(version) == {"intra_op.allow_spinning": "0"}
