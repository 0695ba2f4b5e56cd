"""A double of the control process: answers key look-ups, and records relayed requests."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl

import msgspec

from oxlo.ledger.counted import Counted
from oxlo.plans import apikey
from oxlo.plans.caller import Caller, Changes
from oxlo.testing.http import Connection, Reply, Request


class ControlDouble:
    """Serves both of control's sockets from memory."""

    def __init__(self, private: Path, public: Path, secret: bytes) -> None:
        self._paths = (private, public)
        self._secret = secret
        self.callers: dict[str, Caller] = {}
        #: The account of each change; a change of unknown accounts has none.
        self.changed: list[str | None] = [None]
        #: The number of the last change in each backup that was restored.
        self._restored: list[int] = []
        #: Key look-ups so far, by digest.
        self.lookups: list[str] = []
        #: Requests per day and minute, by account; and the accounts looked up so far.
        self.counted: dict[str, tuple[int, int]] = {}
        self.countings: list[str] = []
        #: The time of the counts.
        self.clock: Callable[[], float] = time.time
        #: Requests to the public socket.
        self.relayed: list[Request] = []
        #: Key look-ups wait for this event: clear it to block them.
        self.open = asyncio.Event()
        self.open.set()
        self._servers: list[asyncio.AbstractServer] = []
        self._connections: set[Connection] = set()

    def mint(self, plan: str = "free", account: str = "acct_1", **fields: object) -> str:
        """Create a key of an account; `fields` are those of Caller."""
        key = apikey.mint(self._secret)
        base = {"account": account, "account_name": account, "key": f"key_{len(self.callers)}"}
        self.callers[apikey.digest(key)] = msgspec.convert(base | {"plan": plan} | fields, Caller)
        return key

    def change(self, key: str, caller: Caller | None) -> None:
        """Replace the caller of a key (None: revoked), which is a change of its account."""
        digest = apikey.digest(key)
        before = self.callers.pop(digest)
        self.changed.append(before.account if isinstance(before, Caller) else None)
        if caller is not None:
            self.callers[digest] = caller

    @property
    def counter(self) -> int:
        """Number of the last change."""
        return len(self.changed)

    def restore(self, counter: int) -> None:
        """Forget the changes after number `counter`, as a database restored from a backup does."""
        del self.changed[counter:]
        self._restored.append(counter)

    def changes(self, since: int) -> Changes:
        """The changes after number `since`."""
        accounts = self.changed[since:]
        known = frozenset(account for account in accounts if account)
        complete = since <= self.counter and None not in accounts
        return Changes(
            counter=self.counter,
            accounts=known if complete else None,
            mark=self._mark(self.counter),
            since_mark=self._mark(since),
        )

    def _mark(self, number: int) -> int | None:
        """The mark of a change: how often the database was restored to one before it."""
        if not 1 <= number <= self.counter:
            return None
        return sum(counter < number for counter in self._restored)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for path, handler in zip(self._paths, (self._private, self._public), strict=True):

            def connect(handler: object = handler) -> Connection:
                connection = Connection(handler)  # type: ignore[arg-type]
                self._connections.add(connection)
                return connection

            self._servers.append(await loop.create_unix_server(connect, str(path)))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.sleep(0)  # asyncio leaks connections whose server closes as it accepts them
        for server in self._servers:
            server.close()
        for connection in self._connections:
            connection.drop()

    async def _private(self, request: Request, reply: Reply) -> None:
        if request.path.startswith("/changes?since="):
            since = int(request.path.removeprefix("/changes?since="))
            await reply.whole(200, msgspec.json.encode(self.changes(since)))
            return
        if request.path.startswith("/counted/"):
            await reply.whole(200, msgspec.json.encode(self._counted(request.path)))
            return
        digest = request.path.removeprefix("/keys/")
        self.lookups.append(digest)
        await self.open.wait()
        caller = self.callers.get(digest)
        if caller is None:
            await reply.whole(404, b"{}")
        else:
            if isinstance(caller, Caller):
                caller = msgspec.structs.replace(caller, as_of=self.counter)
            await reply.whole(200, msgspec.json.encode(caller))

    def _counted(self, path: str) -> Counted:
        """The counts of an account."""
        account, _, query = path.removeprefix("/counted/").partition("?")
        parameters = dict(parse_qsl(query))
        self.countings.append(account)
        day, minute = self.counted.get(account, (0, 0))
        return Counted(
            day=int(parameters["day"]),
            day_used=day,
            minute=int(parameters["minute"]),
            minute_used=minute,
            refunds=0,
            as_of=self.clock(),
        )

    async def _public(self, request: Request, reply: Reply) -> None:
        self.relayed.append(request)
        await reply.whole(200, msgspec.json.encode({"path": request.path}))
