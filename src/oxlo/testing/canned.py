"""Fixed responses of an engine double, for paths where no model has to be imitated."""

import asyncio
from collections.abc import Mapping

import msgspec

from oxlo.testing.http import Reply


class Canned(msgspec.Struct, frozen=True, kw_only=True):
    """A response. Several pieces are sent as chunks."""

    status: int = 200
    kind: str = "application/json"
    pieces: tuple[bytes, ...]
    #: Name of a gate (`EngineDouble.gates`) to wait for before the last piece.
    gate: str = ""
    #: Close the connection instead of completing the response.
    cut: bool = False

    @classmethod
    def json(cls, value: object, status: int = 200) -> "Canned":
        """A JSON response with a Content-Length."""
        return cls(status=status, pieces=(msgspec.json.encode(value),))

    async def perform(self, reply: Reply, gates: Mapping[str, asyncio.Event]) -> None:
        """Send the response."""
        *first, last = self.pieces
        if first or self.cut:
            await reply.start(self.status, self.kind)
        for piece in first:
            await reply.chunk(piece)
        if self.gate:
            await gates[self.gate].wait()
        if not first and not self.cut:
            await reply.whole(self.status, last, self.kind)
        elif not self.cut:
            await reply.chunk(last)
            await reply.end()
