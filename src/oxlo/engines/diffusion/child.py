"""The child process of one image engine."""

import os

import msgspec

from oxlo.engines.diffusion.config import Config
from oxlo.serving.app import Engine
from oxlo.serving.process import main


def load(line: bytes) -> Engine:
    """The engine that the configuration describes. Raises CannotLoad."""
    # Torch's threads wait for each other, and would do so by spinning: where another program takes
    # one of two cores, an image took 50 times as long. OpenMP reads this when torch is loaded.
    os.putenv("OMP_WAIT_POLICY", "PASSIVE")
    from oxlo.engines.diffusion.service import engine

    return engine(msgspec.json.decode(line, type=Config))


if __name__ == "__main__":
    main(load)
