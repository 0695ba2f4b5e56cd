"""Errors for invalid keys."""

from oxlo.gateway import badkeys


def test_braces_cost_no_time() -> None:
    """Anything may be sent as a key: a run of braces is read once, not once for each brace."""
    error = badkeys.refusal("{" * 20_000 + "}" * 20_000 + "x")
    assert "variable's name" not in str(error)
    assert "variable's name" in str(badkeys.refusal("{{ OXLO_API_KEY }}"))
