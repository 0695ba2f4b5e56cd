"""A request body: in memory while small, in a spool file beyond that."""

from collections.abc import Iterable
from typing import IO, Final

from oxlo.errors import Overloaded
from oxlo.gateway.spool import Spool, writing

#: Larger bodies are written to disk, so that slow uploads do not occupy memory.
SPOOL_ABOVE: Final = 1 << 20
#: Smaller chunks are joined, because each has an overhead that the budget does not include.
SMALL: Final = 1024


class Budget:
    """The memory and the spool folder shared by the bodies of all connections."""

    __slots__ = ("free", "spool")

    def __init__(self, size: int, spool: Spool) -> None:
        self.free = size
        self.spool = spool

    def take(self, size: int) -> None:
        """Allocate memory. Raises Overloaded if the budget is exhausted."""
        if size > self.free:
            raise Overloaded("Too many large requests at once. Try again shortly.", retry_after=1)
        self.free -= size

    def give(self, size: int) -> None:
        """Return memory to the budget."""
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
        """Store a chunk. Raises Overloaded if the memory budget is exhausted or the disk full."""
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
        """The file with the body, valid until `release`; "" while it is in memory.

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
                self._file.seek(0)  # also flushes the write buffer
            return self._file.read()
        chunks = self._chunks
        return bytes(chunks[0]) if len(chunks) == 1 else b"".join(chunks)

    def release(self) -> None:
        """Discard the body and free its memory or file."""
        if not self.size:
            return
        self._budget.give(self._held)
        self._held = 0
        self._chunks.clear()
        if self._file is not None:
            self._budget.spool.discard(self._file)
            self._file = None
