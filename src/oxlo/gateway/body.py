"""A request's body: in memory while it is small, in an unlinked file beyond that."""

import tempfile
from typing import IO

from oxlo.errors import Overloaded

#: Bodies larger than this wait on disk, so that slow uploads hold no memory.
SPOOL_ABOVE = 1 << 20


class Budget:
    """Memory for request bodies, shared by all connections of a gateway."""

    __slots__ = ("free",)

    def __init__(self, size: int) -> None:
        self.free = size

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
        self._chunks: list[bytes] = []
        self._file: IO[bytes] | None = None
        self._held = 0
        self.size = 0

    def add(self, chunk: bytes) -> None:
        """Keep a chunk. Raises Overloaded when memory for bodies is short."""
        self.size += len(chunk)
        if self._file is not None:
            self._file.write(chunk)
            return
        self._hold(len(chunk))
        self._chunks.append(chunk)
        if self._held > SPOOL_ABOVE:
            self._spool()

    def _hold(self, size: int) -> None:
        self._budget.take(size)
        self._held += size

    def _spool(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by release()
        self._file.writelines(self._chunks)
        self._chunks.clear()
        self._budget.give(self._held)
        self._held = 0

    def read(self) -> bytes:
        """The whole body; it counts against the budget until `release`."""
        if self._file is not None:
            self._hold(self.size)
            self._file.seek(0)
            return self._file.read()
        chunks = self._chunks
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def release(self) -> None:
        """Forget the body and give back what it held."""
        if not self.size:
            return
        self._budget.give(self._held)
        self._held = 0
        self._chunks.clear()
        if self._file is not None:
            self._file.close()
            self._file = None
