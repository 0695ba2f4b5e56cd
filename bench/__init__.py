"""Benchmarks of the platform and its peers: `python -m bench` lists them."""

from pathlib import Path

#: Build and download cache; results. Neither is in git.
CACHE = Path(__file__).parent / ".cache"
RESULTS = Path(__file__).parent / "results"
