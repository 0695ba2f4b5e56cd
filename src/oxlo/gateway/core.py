"""The state shared by all calls of a gateway: authentication, engines, counts and records."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from oxlo.catalogue import Catalogue
from oxlo.errors import ApiError, ShuttingDown
from oxlo.gateway import auth
from oxlo.gateway.active import ActiveCall
from oxlo.gateway.admission import Admission
from oxlo.gateway.backends import Backends
from oxlo.gateway.clocks import Clocks
from oxlo.gateway.current_plans import CurrentPlans
from oxlo.gateway.exchange import Exchange
from oxlo.gateway.exchange import State as ExchangeState
from oxlo.gateway.ledgers import ledger
from oxlo.gateway.lookup import Lookup
from oxlo.gateway.media import Media
from oxlo.gateway.metrics import CallMetrics, Metrics
from oxlo.gateway.proxies import Proxies
from oxlo.gateway.scheduler import Scheduler
from oxlo.gateway.shared_scheduler import SharedScheduler
from oxlo.gateway.spool import Spool
from oxlo.gateway.upstream import Upstream
from oxlo.ledger.base import Ledger
from oxlo.ledger.journal import Journal
from oxlo.ledger.records import Snapshot
from oxlo.ledger.slots import SharedSlots
from oxlo.plans import Plan, Plans
from oxlo.plans.caller import Caller
from oxlo.settings import Settings

#: Label used in metrics for models that are not in the catalogue.
UNKNOWN: Final = "unknown"


class Core(Clocks):
    """The parts of a gateway used by calls; `Gateway` (`gateway/gateway.py`) adds its lifecycle."""

    def __init__(
        self,
        settings: Settings,
        catalogue: Catalogue,
        plans: Plans,
        loop: asyncio.AbstractEventLoop,
        name: str,
    ) -> None:
        super().__init__(loop.time)
        self.settings = settings
        self.catalogue = catalogue
        self.name = name
        self.loop = loop
        self.draining = False
        self.lookup = Lookup(settings.control_private_socket, loop)
        self.keys = auth.Keys(self.lookup, settings.signing_secret())
        self.proxies = Proxies(settings.trusted_proxies)
        self.current_plans = CurrentPlans(plans, settings.plans or settings.edited_plans)
        slots = self._open_records()
        self._open_engines(plans, slots)

    def _open_records(self) -> SharedSlots | None:
        """Open the journal, the metrics and the ledger; returns the slots shared by gateways."""
        settings, loop = self.settings, self.loop
        self.calls: set[ActiveCall] = set()
        self.metrics = Metrics()
        self._call_metrics: dict[tuple[str, str, str], CallMetrics] = {}
        self.journal = Journal(
            settings.journal_dir,
            self.name,
            on_full=settings.journal_full,
            schedule=loop.call_soon,
            snapshot=self._snapshot,
        )
        self.ledger: Ledger
        self.ledger, slots = ledger(settings, loop, self.name, self.lookup)
        self.ledger.on_change = self._on_remote_change
        return slots

    def _open_engines(self, plans: Plans, slots: SharedSlots | None) -> None:
        """Set up the replicas and their scheduling, control and the media process."""
        settings, loop = self.settings, self.loop
        self.scheduler = Scheduler(self)
        if slots is not None:
            self.scheduler = SharedScheduler(self, slots, settings.queue_limit)
        self.backends = Backends(
            settings.replicas_file, settings.queue_limit, loop, self.scheduler.serve
        )
        self.admission = Admission(self.catalogue, plans, self.backends)
        self.control = Upstream(f"unix:{settings.control_socket}", loop)
        self.spool = Spool(settings.spool_dir / self.name, loop)
        self.media = Media(settings, self.spool, loop)

    def authenticate(
        self, exchange: Exchange, endpoint: str, admit: Callable[[Caller], None]
    ) -> None:
        """Call `admit` with the caller: now if cached, else after control has verified the key.

        Raises ApiError if the key cannot be valid.
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
        """Hold the exchange until control has verified the key. Raises InvalidApiKey."""

        def verified(result: Caller | ApiError) -> None:
            if exchange.state is not ExchangeState.DONE:
                exchange.act(partial(self._decide, exchange, endpoint, admit, result))

        self.keys.ask(key, verified)
        self.metrics.count("oxlo_key_lookups_total")
        exchange.hold()

    def _decide(
        self,
        exchange: Exchange,
        endpoint: str,
        admit: Callable[[Caller], None],
        result: Caller | ApiError,
    ) -> None:
        """Continue with an exchange that was held."""
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

    def count_denied(self, error: ApiError) -> None:
        """Count a request that could not be authenticated."""
        self.metrics.count("oxlo_denied_total", (("code", error.error_code),))

    def plan_of(self, caller: Caller) -> Plan:
        """The caller's plan, as currently in force."""
        return self.current_plans.of(caller, self.wall)

    def check_admitting(self) -> None:
        """Check that new calls are accepted. Raises ShuttingDown or Overloaded."""
        if self.draining:
            raise ShuttingDown(retry_after=5)
        if not self.journal.writable:
            raise ShuttingDown(
                "Calls cannot be recorded right now. Try again shortly.", retry_after=10
            )

    def call_metrics(self, model: str, plan: str, endpoint: str) -> CallMetrics:
        """The metrics for these labels; all unknown models share one set, to bound their number."""
        key = (model, plan, endpoint)
        metrics = self._call_metrics.get(key)
        if metrics is not None:
            return metrics
        if model != UNKNOWN and self.catalogue.get(model) is None:
            return self.call_metrics(UNKNOWN, plan, endpoint)
        metrics = self._call_metrics[key] = CallMetrics(self.metrics, *key)
        return metrics

    def _on_remote_change(self, counter: int) -> None:
        """Handle a change announced by another gateway."""
        if counter > self.keys.change:
            self.keys.follow()

    def _snapshot(self) -> Snapshot:
        wall = self.wall()
        opened = tuple(call.admitted for call in self.calls if call.admitted is not None)
        return Snapshot(wall, self.ledger.snapshot(wall), opened)
