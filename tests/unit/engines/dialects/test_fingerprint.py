"""What `system_fingerprint` says of an engine."""

import pytest

from oxlo.engines.dialects.chunks import Traits

BUILD = "xllamacpp-1.2"


@pytest.mark.parametrize(
    ("told", "build", "shown"),
    [
        ("b6100-abc", BUILD, "fp_b6100-abc"),
        ("fp_1", BUILD, "fp_1"),
        ("b0-unknown", BUILD, "fp_xllamacpp-1.2"),
        (None, BUILD, "fp_xllamacpp-1.2"),
        ("b0-unknown", "", "fp_b0-unknown"),
        (None, "", "fp_llamacpp"),
    ],
)
def test_fingerprint(told: str | None, build: str, shown: str) -> None:
    """The engine's own word, if it knows its build; else its library's version."""
    assert Traits("llamacpp").fingerprint(told, build) == shown
