"""The load of an engine double, for its metrics."""

import msgspec


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """The double's capacity and current requests."""

    model: str
    slots: int
    #: Tokens.
    context_length: int
    #: Requests that are not finished.
    outstanding: int
    #: Content pieces sent so far.
    progress: int

    @property
    def waiting(self) -> int:
        """Requests in the engine's queue."""
        return max(0, self.outstanding - self.slots)

    @property
    def running(self) -> int:
        """Requests in slots."""
        return self.outstanding - self.waiting
