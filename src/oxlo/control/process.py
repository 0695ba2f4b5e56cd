"""The control process: two applications, two sockets, and the jobs."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import structlog

from oxlo.asgi import unixserver
from oxlo.control import context, jobs, private, public
from oxlo.control.context import Control
from oxlo.control.jobs import Job
from oxlo.portal.mailer import Mailer
from oxlo.settings import Settings
from oxlo.store import migrate
from oxlo.store.database import Database

log = structlog.get_logger()


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until `stop`, then drain once more.

    Raises SchemaMismatch, DatabaseUnavailable, CannotKeep, SettingsError or SocketInUse if it
    cannot start.
    """
    settings.prepare()
    async with _database(settings) as database:
        control = context.build(settings, database)
        listeners = _bind(settings)
        try:
            log.info("control.ready", socket=str(settings.control_socket))
            await _work(control, listeners, stop)
        finally:
            for listener in listeners:
                listener.close()
            settings.control_socket.unlink(missing_ok=True)
            settings.control_private_socket.unlink(missing_ok=True)
        await jobs.attempt(control, "drain", control.drain.run)
        await control.traces.close()
    log.info("control.stopped")


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[Database]:
    database = Database(settings.database)
    try:
        await migrate.prepare(database)
        yield database
    finally:
        await database.close()


def _bind(settings: Settings) -> tuple[socket.socket, socket.socket]:
    public_socket = unixserver.bind(settings.control_socket)
    try:
        return public_socket, unixserver.bind(settings.control_private_socket)
    except unixserver.SocketInUse:
        public_socket.close()
        raise


async def _work(
    control: Control, listeners: tuple[socket.socket, socket.socket], stop: asyncio.Event
) -> None:
    """Run both servers and the jobs; if one fails, all end."""
    applications = (public.app(control), private.app(control))
    periodic = _jobs(control)
    async with asyncio.TaskGroup() as tasks:
        for application, listener in zip(applications, listeners, strict=True):
            tasks.create_task(unixserver.serve(application, listener, stop))
        for name, job, seconds in periodic:
            tasks.create_task(jobs.repeat(control, name, job, seconds, stop))


def _jobs(control: Control) -> tuple[tuple[str, Job, float], ...]:
    """Each job: its name, the function, and the interval in seconds."""
    mailer = Mailer(control.settings, control.database)
    return (
        ("drain", control.drain.run, jobs.DRAIN_SECONDS),
        ("adopt", partial(jobs.adopt_orphans, control, {}), jobs.ADOPT_SECONDS),
        ("retention", partial(jobs.delete_old_receipts, control), jobs.RETENTION_SECONDS),
        ("objects", partial(jobs.delete_old_objects, control), jobs.RETENTION_SECONDS),
        ("looks", partial(jobs.delete_old_samples, control), jobs.RETENTION_SECONDS),
        ("logins", partial(jobs.delete_old_logins, control), jobs.RETENTION_SECONDS),
        ("status", control.status.look, jobs.LOOK_SECONDS),
        ("mail", partial(_send_mails, control, mailer), jobs.MAIL_SECONDS),
        ("plans", partial(jobs.end_plans, control), jobs.PLANS_SECONDS),
        ("portal", partial(jobs.tidy_portal, control), jobs.RETENTION_SECONDS),
    )


async def _send_mails(control: Control, mailer: Mailer) -> None:
    await mailer.run(control.clock())
