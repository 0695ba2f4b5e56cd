"""Connections and transactions, for SQLite and PostgreSQL."""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InterfaceError,
    InternalError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from oxlo.store.errors import DatabaseUnavailable

#: SQLite's busy timeout, seconds.
BUSY_SECONDS = 10
#: PostgreSQL's timeouts, seconds: for a connection, for a statement, and for a free connection. A
#: server that is cut off says nothing, and TCP alone waits for a quarter of an hour.
CONNECT_SECONDS = 5.0
STATEMENT_SECONDS = 15.0
_POOL_SECONDS = 10.0
#: Execution option that marks write transactions.
_WRITES = "oxlo_writes"


class Database:
    """One database. `read()` and `write()` each give a connection inside a transaction."""

    def __init__(
        self,
        url: str,
        *,
        foreign_keys: bool = True,
        statement_seconds: float | None = STATEMENT_SECONDS,
    ) -> None:
        """Create the engine without connecting. Raises DatabaseUnavailable for an invalid URL.

        `statement_seconds` is PostgreSQL's timeout for a statement; None: unlimited.
        """
        self.url = _driver_url(url)
        if self.url.startswith("sqlite"):
            self.engine = _sqlite(self.url, foreign_keys=foreign_keys)
        else:
            self.engine = _postgresql(self.url, statement_seconds)
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


def _postgresql(url: str, statement_seconds: float | None) -> AsyncEngine:
    timeouts = {"timeout": CONNECT_SECONDS, "command_timeout": statement_seconds}
    return create_async_engine(
        url, pool_pre_ping=True, pool_timeout=_POOL_SECONDS, connect_args=timeouts
    )


def _sqlite(url: str, *, foreign_keys: bool) -> AsyncEngine:
    engine = create_async_engine(url, connect_args={"timeout": BUSY_SECONDS})
    pragmas = ("synchronous=NORMAL", f"foreign_keys={int(foreign_keys)}")

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(dbapi_connection: Any, _record: Any) -> None:
        # The driver would begin transactions late and commit around DDL; we control both ourselves.
        dbapi_connection.isolation_level = None
        cursor = dbapi_connection.cursor()
        _use_wal(cursor)
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


def _use_wal(cursor: Any) -> None:
    """Switch the file to write-ahead logging; wait if another program is doing so."""
    try:
        cursor.execute("PRAGMA journal_mode=WAL")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
            raise
        # Of two that switch at once, one fails immediately despite the busy timeout. A write
        # transaction does wait, until the other has switched.
        cursor.execute("BEGIN IMMEDIATE")
        cursor.execute("COMMIT")
        cursor.execute("PRAGMA journal_mode=WAL")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if not _is_outage(error):
            raise
        raise DatabaseUnavailable(f"the database cannot be used: {_cause(error)}") from error
    except TimeoutError as error:
        raise DatabaseUnavailable("the database cannot be reached: no answer in time") from error
    except (PoolTimeout, OSError) as error:
        raise DatabaseUnavailable(f"the database cannot be reached: {error}") from error


def _is_outage(error: DBAPIError) -> bool:
    # asyncpg's connection errors (no such role, too many clients) have no common class, and a
    # connection that breaks during a commit is an InternalError.
    outages = (OperationalError, InterfaceError, InternalError)
    return isinstance(error, outages) or type(error) is DBAPIError


def _cause(error: DBAPIError) -> str:
    said = " ".join(str(error.orig).split())
    # SQLite's message if the disk is too full to recover the journal.
    return f"{said}: is the disk full?" if said == "disk I/O error" else said
