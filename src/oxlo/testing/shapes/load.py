"""What an engine could tell about itself."""

import msgspec


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """How much a double has to do, and with what."""

    model: str
    slots: int
    #: Tokens.
    context_length: int
    #: Calls that it has.
    outstanding: int
    #: Content pieces told so far.
    progress: int

    @property
    def waiting(self) -> int:
        """Calls in its own queue."""
        return max(0, self.outstanding - self.slots)

    @property
    def running(self) -> int:
        """Calls in its slots."""
        return self.outstanding - self.waiting
