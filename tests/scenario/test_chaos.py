"""Gateways, Valkey, control and the engine are killed while calls run."""

import pytest
from bench import chaos


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_nothing_is_lost() -> None:
    """What clients saw agrees with the records, and Valkey has counted what the records have."""
    verdict = chaos.run(calls=2_000, workers=3, every=2.0, seed=1)
    assert verdict.wrong == []
    assert (verdict.leases, verdict.in_valkey) == (0, verdict.counted)
    assert verdict.seen["answered"] > 500
