"""Whether Valkey can be reached, and does what it is told."""

from typing import Any

import hiredis
import structlog

from oxlo.ledger.outage import Outage

log = structlog.get_logger()


class Reach:
    """What became of our latest steps; each change is said once."""

    def __init__(self, outage: Outage) -> None:
        self._outage = outage
        self._connected = True
        #: Whether Valkey answered our latest step with an error: full, a replica, misconfigured.
        self.refused = False
        #: Steps that were not carried out.
        self.failures = 0

    def changed(self, connected: bool) -> None:
        """A connection was made, or is lost."""
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
        """Valkey did not carry out a step."""
        self.failures += 1
        if isinstance(why, hiredis.ReplyError) and not self.refused:
            self.refused = True
            log.error("limits.failed", error=str(why), then=self._outage.when_down)

    def taken(self) -> None:
        """Valkey carries out steps again: it is as good as back."""
        self.refused = False
        self._outage.over()
        log.info("limits.shared")
