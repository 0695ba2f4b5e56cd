"""A gateway process: its listener, its routes and its periodic work."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from functools import partial

import structlog

from oxlo.catalogue import Catalogue
from oxlo.gateway.body import Budget
from oxlo.gateway.certificate import Certificate
from oxlo.gateway.core import Core
from oxlo.gateway.exchange import Exchange, Handler
from oxlo.gateway.idempotency.keyed import Idempotency
from oxlo.gateway.ledgers import answers
from oxlo.gateway.request_ids import RequestIds
from oxlo.gateway.routes import Routes
from oxlo.gateway.server import Server
from oxlo.ledger.recovery import recover
from oxlo.plans import Plans
from oxlo.settings import Settings

log = structlog.get_logger()


class Gateway(Core):
    """The whole gateway: the shared state of calls, and its startup, periodic work and shutdown."""

    def __init__(
        self,
        settings: Settings,
        catalogue: Catalogue,
        plans: Plans,
        loop: asyncio.AbstractEventLoop,
        name: str = "g1",
    ) -> None:
        super().__init__(settings, catalogue, plans, loop, name)
        self.started_at = self.wall()
        #: Starts draining; set by the process that runs this gateway.
        self.start_draining: Callable[[], None] = lambda: None
        #: The certificate of the public port; set by that process, too.
        self.certificate: Certificate | None = None
        self.request_ids = RequestIds(self.started_at)
        self.idempotency = Idempotency(self, answers(settings, loop, name))
        self.routes = Routes(self, self.idempotency)
        budget = Budget(settings.body_memory_mb << 20, self.spool)
        self.server = Server(self, settings, budget, self.clock, self.request_ids.assign)

    def open(self, exchange: Exchange) -> Handler:
        """Find the handler. Raises ApiError: 401, 404, 405, 503."""
        self.request_ids.assign(exchange)
        return self.routes.open(exchange)

    # Periodic work.

    def sweep(self) -> None:
        """Do all time-dependent work; called twice a second. A step that fails stops no other."""
        for step in self._steps(self.clock(), self.wall()):
            try:
                step()
            except Exception:
                log.exception("sweep.failed")

    def _steps(self, clock: float, wall: float) -> Iterator[Callable[[], object]]:
        yield partial(self.request_ids.tick, wall)
        yield partial(self.server.sweep, clock)
        for call in list(self.calls):
            yield partial(call.exchange.act, partial(call.tick, clock))
        for group in list(self.backends.groups()):
            for call in group.queue.expire(clock):
                yield partial(call.exchange.act, call.expired)
            # A quota may have been reset, or a circuit breaker closed.
            yield partial(self.scheduler.serve, group)
        yield partial(self._renew_leases, wall)
        yield partial(self.ledger.tick, wall)
        yield partial(self.scheduler.tick, self.backends)
        yield partial(self.idempotency.tick, wall)
        yield self.journal.retry
        yield self.backends.refresh
        yield partial(self.backends.greet, clock)
        yield partial(self.media.greeting.tick, clock)
        yield self._follow_plans
        yield self._follow_changes

    def _renew_leases(self, wall: float) -> None:
        self.ledger.renew([call.reservation for call in self.calls if call.reservation], wall)

    def _follow_plans(self) -> None:
        """Apply edited plans from the next call on."""
        plans = self.current_plans.changed()
        if plans is not None:
            self.admission.use(plans)

    def _follow_changes(self) -> None:
        """Apply changes to accounts and keys, and tell other gateways."""
        self.keys.follow(lambda: self.ledger.announce(self.keys.change))

    # Startup and shutdown.

    def recover(self) -> None:
        """Restore the counts of the last run, settle its open calls, remove its leftover files."""
        recovered = recover(self.settings.journal_dir, self.name, self.wall())
        self.ledger.restore(recovered.counts, (*recovered.recent, *recovered.lost))
        for record in recovered.lost:
            self.journal.append(record, lambda: None)
        self.spool.prepare()
        log.info("gateway.recovered", accounts=len(recovered.counts), lost=len(recovered.lost))

    async def connect(self) -> None:
        """Wait briefly for connections to the stores shared with other gateways."""
        await self.ledger.open()
        await self.idempotency.answers.open()

    async def disconnect(self) -> None:
        """Flush what is pending for those stores; called after `close`."""
        await self.idempotency.answers.close()
        await self.ledger.close()

    async def drain(self) -> None:
        """Refuse new calls, let running ones finish for a while, end the rest with an error."""
        self.draining = True
        self.server.drain()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.settings.drain_seconds):
                await self.server.empty.wait()
        for call in list(self.calls):
            call.shut()

    def close(self) -> None:
        """Write pending records and close the journal."""
        self.journal.close()
