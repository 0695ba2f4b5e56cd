"""A request's body: in memory while it is small, in a file of the spool beyond that."""

from collections.abc import Iterable
from typing import IO, Final

from oxlo.errors import Overloaded
from oxlo.gateway.spool import Spool, writing

#: Bodies larger than this wait on disk, so that slow uploads hold no memory.
SPOOL_ABOVE: Final = 1 << 20
#: Pieces smaller than this are joined: each takes memory of its own, which nobody counts.
SMALL: Final = 1024


class Budget:
    """What the bodies of all connections of a gateway share: memory, and a folder on disk."""

    __slots__ = ("free", "spool")

    def __init__(self, size: int, spool: Spool) -> None:
        self.free = size
        self.spool = spool

    def take(self, size: int) -> None:
        """Claim memory. Raises Overloaded when there is none left."""
        if size > self.free:
            raise Overloaded("Too many large requests at once. Try again shortly.", retry_after=1)
        self.free -= size

    def give(self, size: int) -> None:
        """Return memory."""
        self.free += size


class Body:
    """Collects the chunks of one body."""

    __slots__ = ("_budget", "_chunks", "_file", "_held", "size")

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._chunks: list[bytes | bytearray] = []
        self._file: IO[bytes] | None = None
        self._held = 0
        self.size = 0

    def add(self, chunk: bytes) -> None:
        """Keep a chunk. Raises Overloaded when memory for bodies is short, or the disk is full."""
        self.size += len(chunk)
        if self._file is not None:
            self._write((chunk,))
            return
        self._hold(len(chunk))
        self._keep(chunk)
        if self._held > SPOOL_ABOVE:
            self._spool()

    def _keep(self, chunk: bytes) -> None:
        chunks = self._chunks
        last = chunks[-1] if chunks else None
        if isinstance(last, bytearray) and len(chunk) < SMALL:
            last += chunk
        elif last is not None and len(chunk) < SMALL:
            chunks.append(bytearray(chunk))
        else:
            chunks.append(chunk)

    def _hold(self, size: int) -> None:
        self._budget.take(size)
        self._held += size

    def _spool(self) -> None:
        self._write(self._chunks)
        self._chunks.clear()
        self._budget.give(self._held)
        self._held = 0

    def _write(self, chunks: Iterable[bytes | bytearray]) -> None:
        if self._file is None:
            self._file = self._budget.spool.create()
        with writing():
            self._file.writelines(chunks)

    @property
    def path(self) -> str:
        """The file that holds the body until `release`; "" while it is in memory.

        Raises Overloaded.
        """
        if self._file is None:
            return ""
        with writing():
            self._file.flush()
        return self._file.name

    def read(self) -> bytes:
        """The whole body; it counts against the budget until `release`. Raises Overloaded."""
        if self._file is not None:
            self._hold(self.size)
            with writing():
                self._file.seek(0)  # writes what is still in its buffer
            return self._file.read()
        chunks = self._chunks
        return bytes(chunks[0]) if len(chunks) == 1 else b"".join(chunks)

    def release(self) -> None:
        """Forget the body and give back what it held."""
        if not self.size:
            return
        self._budget.give(self._held)
        self._held = 0
        self._chunks.clear()
        if self._file is not None:
            self._budget.spool.discard(self._file)
            self._file = None
