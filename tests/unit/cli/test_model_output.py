"""The list of models on the command line."""

from oxlo.cli import model_output


def _summary(name: str, state: str) -> dict[str, object]:
    entry = {"id": name, "category": "chat", "tier": "free", "context_length": 8192}
    return entry | {"hardware": "cpu", "bytes": 98_362_432, "state": state}


def test_what_is_here_comes_first() -> None:
    """Sorted by the state of the weights, then by name."""
    states = {
        "a": "not for this machine",
        "b": "not fetched",
        "d": "here",
        "c": "here",
        "e": "elsewhere",
        "f": "to be supplied",
    }
    rows = model_output.table(
        [_summary(name, state) for name, state in states.items()]
    ).splitlines()
    assert [row.split()[0] for row in rows[1:]] == ["c", "d", "e", "b", "f", "a"]
