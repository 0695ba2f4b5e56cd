"""Dependencies shared by control's two applications and its jobs."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from oxlo.asgi.attached import Attached
from oxlo.control.drain import Drain
from oxlo.control.figures import Figures
from oxlo.control.traces import Traces
from oxlo.control.troubles import Troubles
from oxlo.control.trusted_clock import TrustedClock
from oxlo.objects.links import Signer
from oxlo.objects.store import Objects
from oxlo.settings import Settings
from oxlo.store.database import Database
from oxlo.store.status import Board


@dataclass(frozen=True, slots=True)
class Control(Attached):
    """The dependencies of one control process."""

    settings: Settings
    database: Database
    drain: Drain
    metrics: Figures
    objects: Objects
    signer: Signer
    status: Board
    traces: Traces
    #: Unix seconds. Irreversible work uses `trusted_clock`, which does not follow a jump at once.
    clock: Callable[[], float]
    trusted_clock: Callable[[], float]
    troubles: Troubles = field(default_factory=Troubles)


def build(
    settings: Settings,
    database: Database,
    *,
    clock: Callable[[], float] = time.time,
    steady: Callable[[], float] = time.monotonic,
) -> Control:
    """Create the dependencies; starts nothing. Raises CannotKeep or SettingsError.

    `steady` is a monotonic clock, in seconds.
    """
    metrics = Figures()
    metrics.database_up.set_function(lambda: database.up)
    metrics.disk_free.set_function(lambda: shutil.disk_usage(settings.home).free)
    traces = Traces.of(settings)
    site = "" if database.dialect == "sqlite" else settings.site
    drain = Drain(
        settings.journal_dir, database, metrics, clock=clock, drained=traces.export, site=site
    )
    objects = Objects.open(settings.objects_location)
    signer = Signer(settings.base_url, settings.signing_secret())
    status = Board(database, settings.replicas_file, clock)
    trusted_clock = TrustedClock(clock, steady)
    return Control(
        settings, database, drain, metrics, objects, signer, status, traces, clock, trusted_clock
    )
