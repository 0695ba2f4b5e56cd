"""Entry point of an image engine's process."""

import os

import msgspec

from oxlo.engines.diffusion.config import Config
from oxlo.serving.app import Engine
from oxlo.serving.process import main


def load(line: bytes) -> Engine:
    """Build the engine from its JSON configuration. Raises CannotLoad."""
    # By default torch's OpenMP threads spin while they wait for each other: with another process on
    # one of two cores, an image took 50 times as long. OpenMP reads this when torch is imported.
    os.putenv("OMP_WAIT_POLICY", "PASSIVE")
    from oxlo.engines.diffusion.service import engine

    return engine(msgspec.json.decode(line, type=Config))


if __name__ == "__main__":
    main(load)
