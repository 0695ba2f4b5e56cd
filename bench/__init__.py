"""What the platform costs, measured beside its peers: `python -m bench` lists the benches."""

from pathlib import Path

#: What benches build and fetch; results. Neither is in git.
CACHE = Path(__file__).parent / ".cache"
RESULTS = Path(__file__).parent / "results"
