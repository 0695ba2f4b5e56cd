"""Requests that a gateway answers from its own state, at no cost."""

from collections.abc import Callable
from functools import partial

import msgspec

from oxlo.errors import ApiError
from oxlo.gateway import headers
from oxlo.gateway.body import Body
from oxlo.gateway.core import Core
from oxlo.gateway.exchange import Exchange
from oxlo.gateway.exchange import State as ExchangeState
from oxlo.gateway.limits import limits
from oxlo.ledger.base import Standing
from oxlo.plans.caller import Caller

#: Builds a response body.
Answer = Callable[[Exchange, Caller], bytes]


class LocalHandler:
    """A request whose response is built by a function of the exchange and the caller."""

    def __init__(self, gateway: Core, exchange: Exchange, answer: Answer) -> None:
        self._gateway = gateway
        self._exchange = exchange
        self._answer = answer
        self._caller: Caller

    def admit(self, caller: Caller) -> None:
        """Store the caller."""
        self._caller = caller

    def body(self, body: Body) -> None:
        """Send the response."""
        answer = self._answer(self._exchange, self._caller)
        plan = self._gateway.plan_of(self._caller)
        day, minute, _ = self._gateway.ledger.limits(
            self._caller.account, plan, self._gateway.wall()
        )
        head = headers.JSON + headers.OPENAI_VERSION + headers.rate_limit_head(day, minute)
        self._exchange.reply(200, head, answer)

    def gone(self) -> None:
        """Do nothing: no work is in progress."""

    def crashed(self) -> None:
        """Do nothing: no work is in progress."""

    def paused(self) -> None:
        """Do nothing: nothing is being sent."""

    def resumed(self) -> None:
        """Do nothing: nothing is being sent."""


class LimitsHandler(LocalHandler):
    """GET /v1/limits, answered by the ledger wherever it keeps the counts."""

    def __init__(self, gateway: Core, exchange: Exchange) -> None:
        super().__init__(gateway, exchange, _nothing)

    def body(self, body: Body) -> None:
        """Fetch the account's standing from the ledger."""
        gateway, caller = self._gateway, self._caller
        plan = gateway.plan_of(caller)
        gateway.ledger.fetch_limits(caller.account, plan, gateway.wall(), self._on_standing)

    def _on_standing(self, standing: Standing | ApiError) -> None:
        self._exchange.act(partial(self._tell, standing))

    def _tell(self, standing: Standing | ApiError) -> None:
        if self._exchange.state is ExchangeState.DONE:
            return
        if isinstance(standing, ApiError):
            self._exchange.fail(standing)
            return
        gateway, caller = self._gateway, self._caller
        day, minute, in_use = standing
        body = limits(caller, gateway.plan_of(caller), day, minute, in_use, gateway.wall())
        head = headers.JSON + headers.OPENAI_VERSION + headers.rate_limit_head(day, minute)
        self._exchange.reply(200, head, msgspec.json.encode(body))


def _nothing(exchange: Exchange, caller: Caller) -> bytes:
    return b""
