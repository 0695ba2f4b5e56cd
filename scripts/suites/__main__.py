"""`python -m scripts.suites [SUITE ...]`: run third-party suites against a running platform.

OXLO_BASE_URL and OXLO_API_KEY select it; the key's plan should have very high limits.
"""

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from scripts.suites import fuzz, langchain, openai_node, openai_python
from scripts.suites.environment import Environment
from scripts.suites.outcome import HEAD, Outcome, shown
from scripts.suites.served import Served

SUITES: dict[str, Callable[[Served, Environment], Iterator[Outcome]]] = {
    "openai-python": openai_python.run,
    "openai-node": openai_node.run,
    "langchain": langchain.run,
    "schemathesis": fuzz.run,
}


def main() -> None:
    """Run the named suites, or all, and print their results."""
    parser = argparse.ArgumentParser(prog="python -m scripts.suites", description=__doc__)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=", ".join(SUITES))
    parser.add_argument("--keep", type=Path, help="a folder in which what was installed stays")
    options = parser.parse_args()
    unknown = set(options.suites) - set(SUITES)
    if unknown:
        parser.error(f"there is no suite {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory(prefix="suites-") as passing:
        for name in options.suites or SUITES:
            environment = Environment((options.keep or Path(passing)) / name)
            print(f"\n{name}\n{HEAD}", flush=True)
            for outcome in SUITES[name](served(), environment):
                print(shown(outcome), flush=True)


def served() -> Served:
    """Return the platform configured in the environment."""
    base_url = os.environ.get("OXLO_BASE_URL", "http://127.0.0.1:8000/v1")
    key = os.environ.get("OXLO_API_KEY")
    if not key:
        raise SystemExit("Set OXLO_API_KEY to a key of the platform at OXLO_BASE_URL.")
    return Served(base_url, key)


if __name__ == "__main__":
    main()
