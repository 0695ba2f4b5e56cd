"""The gateway: what all its calls share, and which address is answered by what."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Final

import structlog

from oxlo.catalogue import Catalogue
from oxlo.errors import ApiError, ShuttingDown
from oxlo.gateway import auth
from oxlo.gateway.admission import Admission
from oxlo.gateway.backends import Backends, Group, Slot
from oxlo.gateway.body import Budget
from oxlo.gateway.call import Call
from oxlo.gateway.exchange import Exchange, Handler
from oxlo.gateway.exchange import State as ExchangeState
from oxlo.gateway.idempotency import Idempotency
from oxlo.gateway.ledgers import answers, ledger
from oxlo.gateway.lookup import Lookup
from oxlo.gateway.media import Media
from oxlo.gateway.metrics import CallMetrics, Metrics
from oxlo.gateway.names import Names
from oxlo.gateway.relay import Proxies
from oxlo.gateway.routes import Routes
from oxlo.gateway.server import Server
from oxlo.gateway.sharing import Sharing
from oxlo.gateway.spool import Spool
from oxlo.gateway.terms import Terms
from oxlo.gateway.upstream import Upstream
from oxlo.ledger.base import Ledger
from oxlo.ledger.journal import Journal
from oxlo.ledger.records import Snapshot
from oxlo.ledger.recovery import recover
from oxlo.plans import Plan, Plans
from oxlo.plans.caller import Caller
from oxlo.settings import Settings

log = structlog.get_logger()

SWEEP_SECONDS = 0.5
#: What metrics call models that are not in the catalogue.
UNKNOWN: Final = "unknown"


class Gateway:
    """One gateway process: its ledger, journal, replicas and the calls under way."""

    def __init__(
        self,
        settings: Settings,
        catalogue: Catalogue,
        plans: Plans,
        loop: asyncio.AbstractEventLoop,
        name: str = "g1",
    ) -> None:
        self.settings = settings
        self.catalogue = catalogue
        self.name = name
        self.loop = loop
        #: Seconds that only ever grow, for durations; and UTC seconds, for windows and receipts.
        self.clock: Callable[[], float] = loop.time
        self.wall: Callable[[], float] = time.time
        self.started_at = self.wall()
        self.draining = False
        #: Begins the end; set by whoever runs this gateway.
        self.start_draining: Callable[[], None] = lambda: None

        # Who calls, and by which rules.
        self.lookup = Lookup(settings.control_private_socket, loop)
        self.keys = auth.Keys(self.lookup, settings.signing_secret())
        self.terms = Terms(plans, settings.plans or settings.edited_plans)
        self.proxies = Proxies(settings.trusted_proxies)

        # Who answers.
        self.backends = Backends(settings.replicas_file, settings.queue_limit, loop, self.serve)
        self.admission = Admission(catalogue, plans, self.backends)
        self.control = Upstream(f"unix:{settings.control_socket}", loop)
        self.spool = Spool(settings.spool_dir / name, loop)
        self.media = Media(settings, self.spool, loop)

        # What is counted and written down.
        self.calls: set[Call] = set()
        self.metrics = Metrics()
        self._call_metrics: dict[tuple[str, str, str], CallMetrics] = {}
        self.journal = Journal(
            settings.journal_dir,
            name,
            on_full=settings.journal_full,
            schedule=loop.call_soon,
            snapshot=self._snapshot,
        )
        self.ledger: Ledger
        self.ledger, slots = ledger(settings, loop, name, self.lookup)
        self.ledger.on_change = self._told_of_change
        #: How slots are come by where other gateways want them as well.
        self.sharing = Sharing(self, slots) if slots is not None else None

        # The client's side.
        self.names = Names(self.started_at)
        self.idempotency = Idempotency(self, answers(settings, loop, name))
        self.routes = Routes(self)
        budget = Budget(settings.body_memory_mb << 20, self.spool)
        self.server = Server(self, settings, budget, self.clock, self.names.give)

    def recover(self) -> None:
        """Take up the counts of the last run, settle its open calls, remove its leftovers."""
        recovered = recover(self.settings.journal_dir, self.name, self.wall())
        self.ledger.restore(recovered.counts, (*recovered.recent, *recovered.lost))
        for record in recovered.lost:
            self.journal.append(record, lambda: None)
        self.spool.prepare()
        log.info("gateway.recovered", accounts=len(recovered.counts), lost=len(recovered.lost))

    # Exchanges.

    def open(self, exchange: Exchange) -> Handler:
        """Find who answers. Raises ApiError: 401, 404, 405, 503."""
        self.names.give(exchange)
        return self.routes.open(exchange)

    def authenticate(
        self, exchange: Exchange, endpoint: str, admit: Callable[[Caller], None]
    ) -> None:
        """Call `admit` with the caller: at once when known, else when control has answered.

        Raises ApiError when the key cannot be valid.
        """
        caller = self.keys.plain(exchange.headers)
        if caller is not None:
            admit(caller)
            return
        try:
            key = auth.presented_key(exchange.headers)
            caller = self.keys.known(key)
            if caller is None:
                self._ask(exchange, endpoint, key, admit)
                return
            auth.check_scope(caller, endpoint, exchange.headers.get(b"origin", b""))
            self.keys.note(exchange.headers, caller)
        except ApiError as error:
            self.count_denied(error)
            raise
        admit(caller)

    def _ask(
        self, exchange: Exchange, endpoint: str, key: str, admit: Callable[[Caller], None]
    ) -> None:
        """Hold the exchange until control has said whose key this is. Raises InvalidApiKey."""

        def decide(result: Caller | ApiError) -> None:
            try:
                if isinstance(result, ApiError):
                    raise result
                auth.check_scope(result, endpoint, exchange.headers.get(b"origin", b""))
                admit(result)
            except ApiError as error:
                self.count_denied(error)
                exchange.fail(error)
            else:
                exchange.proceed()

        def found(result: Caller | ApiError) -> None:
            if exchange.state is not ExchangeState.DONE:
                exchange.connection.act(lambda: decide(result))

        self.keys.ask(key, found)
        exchange.hold()

    def count_denied(self, error: ApiError) -> None:
        """Count a call that nobody known made."""
        self.metrics.count("oxlo_denied_total", (("code", error.error_code),))

    def plan_of(self, caller: Caller) -> Plan:
        """The plan of a caller, as now in force."""
        return self.terms.of(caller, self.wall)

    def check_admitting(self) -> None:
        """Whether new calls are taken. Raises ShuttingDown or Overloaded."""
        if self.draining:
            raise ShuttingDown(retry_after=5)
        if not self.journal.writable:
            raise ShuttingDown(
                "Calls cannot be recorded just now. Try again shortly.", retry_after=10
            )

    # Slots.

    def place(self, call: Call, group: Group) -> None:
        """Give a call a slot, or let it wait for one."""
        sharing = self.sharing
        if sharing is not None and sharing.up:
            sharing.ask(call, group)
        else:
            self.place_here(call, group)

    def place_here(self, call: Call, group: Group) -> None:
        """As `place`, by what this gateway knows alone."""
        slot = None if group.queue else group.acquire(call.demand, self.wall(), call.avoid)
        if slot is not None:
            call.take(slot)
        else:
            call.wait()

    def leave(self, call: Call, group: Group) -> None:
        """A call waits for no slot any more. Harmless when it did not."""
        group.queue.remove(call)
        if self.sharing is not None:
            self.sharing.leave(call)

    def release(self, slot: Slot, group: Group) -> None:
        """Give a slot back and serve who waits for it."""
        slot.release()
        if group.queue:
            self.serve(group)

    def serve(self, group: Group) -> None:
        """Hand free slots to those who wait, in the queue's order."""
        if self.sharing is not None and self.sharing.up:
            return  # Valkey does
        wall = self.wall()
        while group.queue and group.has_slot(wall):
            call = group.queue.pop(self.clock())
            assert call is not None
            slot = group.acquire(call.demand, wall)
            assert slot is not None
            if self.sharing is not None:
                self.sharing.leave(call)
            call.take(slot)

    def call_metrics(self, model: str, plan: str, endpoint: str) -> CallMetrics:
        """The figures of calls alike; unknown models share one set, whatever they are called."""
        key = (model, plan, endpoint)
        found = self._call_metrics.get(key)
        if found is not None:
            return found
        if model != UNKNOWN and self.catalogue.get(model) is None:
            return self.call_metrics(UNKNOWN, plan, endpoint)
        found = self._call_metrics[key] = CallMetrics(self.metrics, *key)
        return found

    # Time.

    def sweep(self) -> None:
        """Twice a second: everything that depends on the passing of time."""
        clock, wall = self.clock(), self.wall()
        self.names.tick(wall)
        self.server.sweep(clock)
        for call in list(self.calls):
            call.tick(clock)
        for group in self.backends.groups():
            for call in group.queue.expire(clock):
                call.expired()
            self.serve(group)  # a quota may be back, a breaker's time over
        self.ledger.renew([call.reservation for call in self.calls if call.reservation], wall)
        self.ledger.tick(wall)
        if self.sharing is not None:
            self.sharing.tick()
        self.idempotency.tick(wall)
        self.journal.retry()
        self.backends.refresh()
        self.backends.greet(clock)
        self.media.greeting.tick(clock)
        self._follow_plans()
        self.lookup.changes(self._changed)

    def _follow_plans(self) -> None:
        """Plans that were edited hold from the next call on."""
        plans = self.terms.changed()
        if plans is not None:
            self.admission.use(plans)

    def _changed(self, counter: int | None) -> None:
        if counter is not None and counter != self.keys.change:
            self.keys.invalidate(counter)
            self.ledger.announce(counter)

    def _told_of_change(self, counter: int) -> None:
        """Another gateway found it first."""
        if counter > self.keys.change:
            self.keys.invalidate(counter)

    def _snapshot(self) -> Snapshot:
        wall = self.wall()
        opened = tuple(call.admitted for call in self.calls if call.admitted is not None)
        return Snapshot(wall, self.ledger.snapshot(wall), opened)

    # The beginning and the end.

    async def connect(self) -> None:
        """Wait a little for what is shared with other gateways."""
        await self.ledger.open()
        await self.idempotency.answers.open()

    async def disconnect(self) -> None:
        """Finish what others are to be told; after `close`."""
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
        """Write down what is pending, and let go of the journal."""
        self.journal.close()
