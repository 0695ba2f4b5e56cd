"""What control's two applications and its jobs share."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass

from oxlo.asgi.attached import Attached
from oxlo.control.drain import Drain
from oxlo.control.figures import Figures
from oxlo.control.patience import Patient
from oxlo.control.traces import Traces
from oxlo.objects.links import Signer
from oxlo.objects.store import Objects
from oxlo.settings import Settings
from oxlo.store.database import Database
from oxlo.store.status import Board


@dataclass(frozen=True, slots=True)
class Control(Attached):
    """The parts of one control process."""

    settings: Settings
    database: Database
    drain: Drain
    metrics: Figures
    objects: Objects
    signer: Signer
    status: Board
    traces: Traces
    #: Now, in unix seconds; and as far as it is believed, for what cannot be undone.
    clock: Callable[[], float]
    believed: Callable[[], float]


def build(
    settings: Settings,
    database: Database,
    *,
    clock: Callable[[], float] = time.time,
    steady: Callable[[], float] = time.monotonic,
) -> Control:
    """Put a control's parts together; nothing runs yet. Raises CannotKeep or SettingsError.

    `steady` counts seconds as they pass, whatever the clock is set to.
    """
    metrics = Figures()
    metrics.database_up.set_function(lambda: database.up)
    metrics.disk_free.set_function(lambda: shutil.disk_usage(settings.home).free)
    traces = Traces.of(settings)
    site = "" if database.dialect == "sqlite" else settings.site
    drain = Drain(
        settings.journal_dir, database, metrics, clock=clock, drained=traces.tell, site=site
    )
    objects = Objects.open(settings.objects_location)
    signer = Signer(settings.base_url, settings.signing_secret())
    status = Board(database, settings.replicas_file, clock)
    believed = Patient(clock, steady)
    return Control(
        settings, database, drain, metrics, objects, signer, status, traces, clock, believed
    )
