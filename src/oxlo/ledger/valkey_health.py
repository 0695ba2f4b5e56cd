"""Whether Valkey is reachable and executes commands."""

from typing import Any

import hiredis
import structlog

from oxlo.ledger.outage import Outage

log = structlog.get_logger()


class ValkeyHealth:
    """Tracks the outcome of the latest steps, and logs each change once."""

    def __init__(self, outage: Outage) -> None:
        self._outage = outage
        self._connected = True
        #: Whether Valkey rejected the latest step, being full, a read-only replica or
        #: misconfigured.
        self.refused = False
        #: Number of failed steps.
        self.failures = 0

    def changed(self, connected: bool) -> None:
        """Record that a connection was made or lost."""
        if connected:
            self._outage.over()
        if connected == self._connected:
            return
        self._connected = connected
        if connected:
            log.info("limits.shared")
        else:
            log.error("limits.unshared", when_down=self._outage.when_down)

    def failed(self, why: Any) -> None:
        """Record that Valkey did not execute a step."""
        self.failures += 1
        if isinstance(why, hiredis.ReplyError) and not self.refused:
            self.refused = True
            log.error("limits.failed", error=str(why), then=self._outage.when_down)

    def taken(self) -> None:
        """Record that Valkey executes steps again, which ends an outage."""
        self.refused = False
        self._outage.over()
        log.info("limits.shared")
