"""Connections and transactions, for SQLite and PostgreSQL."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from oxlo.store.errors import DatabaseUnavailable

#: SQLite's busy timeout, seconds.
BUSY_SECONDS = 10
#: Execution option that marks write transactions.
_WRITES = "oxlo_writes"


class Database:
    """One database. `read()` and `write()` each give a connection inside a transaction."""

    def __init__(self, url: str, *, foreign_keys: bool = True) -> None:
        """Create the engine without connecting. Raises DatabaseUnavailable for an invalid URL."""
        self.url = _driver_url(url)
        self.engine = _engine(self.url, foreign_keys=foreign_keys)
        #: Whether the last transaction could connect.
        self.up = True

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.engine.dialect.name

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A read transaction with a consistent snapshot. Raises DatabaseUnavailable."""
        with self._watched():
            async with self.engine.begin() as connection:
                yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A write transaction, committed at the end of the block. Raises DatabaseUnavailable."""
        with self._watched():
            async with self.engine.execution_options(**{_WRITES: True}).begin() as connection:
                yield connection

    @contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            with _translated():
                yield
        except DatabaseUnavailable:
            self.up = False
            raise
        self.up = True

    async def close(self) -> None:
        """Close every pooled connection."""
        await self.engine.dispose()


def _driver_url(url: str) -> str:
    """The URL with our asyncio driver: operators paste `postgresql://` and `sqlite://`."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise DatabaseUnavailable("OXLO_DATABASE_URL is not a database URL") from None
    drivers = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
    name = parsed.get_backend_name()
    if name not in drivers:
        raise DatabaseUnavailable(f"OXLO_DATABASE_URL: {name} is not sqlite or postgresql")
    return parsed.set(drivername=drivers[name]).render_as_string(hide_password=False)


def _engine(url: str, *, foreign_keys: bool) -> AsyncEngine:
    if not url.startswith("sqlite"):
        return create_async_engine(url, pool_pre_ping=True)
    engine = create_async_engine(url, connect_args={"timeout": BUSY_SECONDS})
    pragmas = ("journal_mode=WAL", "synchronous=NORMAL", f"foreign_keys={int(foreign_keys)}")

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(dbapi_connection: Any, _record: Any) -> None:
        # The driver would begin transactions late and commit around DDL; we control both ourselves.
        dbapi_connection.isolation_level = None
        cursor = dbapi_connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that reads before it writes fails immediately if another one wrote in
        # between, despite the busy timeout; so write transactions lock at the start.
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if not _is_outage(error):
            raise
        raise DatabaseUnavailable(f"the database cannot be used: {_cause(error)}") from error
    except (PoolTimeout, OSError) as error:
        raise DatabaseUnavailable(f"the database cannot be reached: {error}") from error


def _is_outage(error: DBAPIError) -> bool:
    # asyncpg's connection errors (no such role, too many clients) have no common class.
    return isinstance(error, (OperationalError, InterfaceError)) or type(error) is DBAPIError


def _cause(error: DBAPIError) -> str:
    said = " ".join(str(error.orig).split())
    # SQLite's message if the disk is too full to recover the journal.
    return f"{said}: is the disk full?" if said == "disk I/O error" else said
