"""Settlements on their way to Valkey: each is kept until it is confirmed.

What was sent into a connection that broke is sent again over the next one, and what Valkey did not
take, with the next tick: settling twice does nothing.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import hiredis

from oxlo.ledger.slots import Asked
from oxlo.ledger.wording import Wording

if TYPE_CHECKING:
    from oxlo.valkey.client import Client

#: Settlements kept while Valkey is away; the oldest go first, and end with their leases.
_MOST: Final = 100_000


class Ending:
    """A settlement on its way."""

    __slots__ = ("call", "endings", "words")

    def __init__(self, endings: "Endings", call: str, words: bytes) -> None:
        self.endings = endings
        self.call = call
        self.words = words

    def replied(self, said: Any) -> None:
        """Confirmed, or to be sent again."""
        if isinstance(said, int):
            self.endings.confirmed(self)
        elif isinstance(said, hiredis.ReplyError):
            self.endings.refused(self, said)


class Endings:
    """The settlements that Valkey has not confirmed."""

    def __init__(self, client: "Client", wording: Wording, failed: Callable[[Any], None]) -> None:
        """`failed` is told of what Valkey refuses."""
        self._client = client
        self._wording = wording
        self._failed = failed
        self.unsettled: dict[str, Ending] = {}
        self._refused: list[Ending] = []

    def end(
        self,
        call: str,
        account: str,
        charge: bytes = b"",
        *,
        counted: bool = False,
        minute_counted: bool = False,
        refund: bool = False,
        now: float = 0.0,
        slot: Asked | None = None,
    ) -> None:
        """Tell Valkey in this turn of the loop, or when it is back.

        Without a `charge`, whatever was done for the call is undone.
        """
        words = self._wording.settle(
            call,
            account,
            charge,
            counted=counted,
            minute_counted=minute_counted,
            refund=refund,
            now=now,
            slot=slot,
        )
        ending = self.unsettled[call] = Ending(self, call, words)
        if len(self.unsettled) > _MOST:
            del self.unsettled[next(iter(self.unsettled))]
        if self._client.connected:
            self._client.send(words, ending.replied)

    def send_all(self) -> None:
        """Valkey is back: tell it everything that it has not confirmed."""
        self._refused.clear()
        for ending in list(self.unsettled.values()):
            self._client.send(ending.words, ending.replied)

    def tick(self) -> None:
        """Twice a second: what was not taken is tried again."""
        again, self._refused = self._refused, []
        for ending in again:
            self._client.send(ending.words, ending.replied)

    def confirmed(self, ending: Ending) -> None:
        """Valkey has carried it out."""
        self.unsettled.pop(ending.call, None)

    def refused(self, ending: Ending, why: hiredis.ReplyError) -> None:
        """Valkey did not take it."""
        self._failed(why)
        self._refused.append(ending)
