"""The checks of `oxlo doctor` on the port, the database and Valkey."""

import asyncio
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from oxlo.cli import local_gateway, text
from oxlo.cli.failures import CommandError
from oxlo.cli.finding import Finding, wrong
from oxlo.cli.valkey import program
from oxlo.gateway.certificate import CertificateError, expires
from oxlo.settings import Settings

if TYPE_CHECKING:
    from oxlo.store.migrate import Step

#: Timeout for Valkey, in seconds.
_VALKEY_SECONDS = 3.0
#: Time before its expiry in which a certificate should have been renewed, in seconds.
_RENEWAL = 14 * 86400.0


async def port(settings: Settings) -> Finding:
    """Check that the gateway can listen, or is running already."""
    try:
        local_gateway.check_port(settings)
    except local_gateway.PortTaken as taken:
        models = await local_gateway.ready(settings)
        if models is None:
            return wrong("port", str(taken))
        running = ", ".join(sorted(models)) or "no model ready yet"
        return Finding("port", f"{settings.port}: oxlo is running there ({running})")
    return Finding("port", f"{settings.port} on {settings.host} is free")


def certificate(settings: Settings, now: float) -> Iterator[Finding]:
    """Check that HTTPS can be served, if it is meant to, and for how long."""
    if settings.tls_cert is None:
        return
    try:
        local_gateway.check_certificate(settings)
        end = expires(settings.tls_cert)
    except (CertificateError, OSError) as error:
        yield wrong("certificate", str(error))
        return
    yield validity(settings.tls_cert, math.inf if end is None else end, now)


def validity(cert: Path, end: float, now: float) -> Finding:
    """The finding for a certificate that expires at `end`, unix seconds."""
    if end == math.inf:
        return Finding("certificate", str(cert))
    until = f"{cert} {'expires' if end > now else 'expired'} {text.minute(end)}"
    if end - now < _RENEWAL:
        words = f"{until}: renew it; the new file is read without a restart"
        return Finding("certificate", words, ok=False)
    return Finding("certificate", until)


async def schema(settings: Settings) -> Finding:
    """Check that the database has this version's schema, or will be migrated automatically."""
    from oxlo.store import migrate
    from oxlo.store.database import Database
    from oxlo.store.errors import StoreError

    try:
        database = Database(settings.database)
        file = migrate.sqlite_file(database)
        if database.dialect == "sqlite" and not file.exists():
            return Finding("database", f"{file} (made at the first start)")
        try:
            current, known = await migrate.current(database), migrate.revisions()
        finally:
            await database.close()
    except StoreError as error:
        return wrong("database", str(error))
    return _at_schema(current or "none", migrate.step(database.dialect, current, known))


def _at_schema(current: str, step: "Step") -> Finding:
    """The finding for a database with this schema."""
    from oxlo.store.migrate import Step

    match step:
        case Step.NOTHING:
            return Finding("database", f"schema {current}")
        case Step.MIGRATE:
            words = f"schema {current}: the next start backs it up and migrates it"
            return Finding("database", words)
        case Step.REFUSE_OLDER:
            return wrong("database", f"schema {current} is older: run `oxlo migrate`")
        case Step.REFUSE_NEWER:
            return wrong("database", f"schema {current} is newer than this program: update oxlo")


async def shared_limits(settings: Settings) -> Finding:
    """Check that the Valkey of the limits answers, and persists its data."""
    if settings.valkey_url:
        return await _external_valkey(settings.valkey_url)
    try:
        return Finding("valkey", f"embedded: {program()}")
    except CommandError as error:
        return wrong("valkey", str(error))


async def _external_valkey(url: str) -> Finding:
    try:
        from oxlo.valkey.address import Address, AddressError
        from oxlo.valkey.client import Client, Lost, ReplyError
    except ImportError as error:
        return wrong("valkey", f"{error.name} is missing: pip install 'oxlo[valkey]'")
    try:
        address = Address.parse(url)
    except AddressError as error:
        return wrong("valkey", str(error))
    client = Client(address, asyncio.get_running_loop(), timeout=_VALKEY_SECONDS)
    try:
        if not await client.up(_VALKEY_SECONDS):
            return wrong("valkey", f"{address} does not answer: {client.why}")
        persistence = await client.ask(b"CONFIG", b"GET", b"appendonly")
    except (Lost, ReplyError):
        return Finding("valkey", str(address))  # CONFIG may be forbidden
    finally:
        await client.close()
    if b"no" in persistence.values():
        words = f"{address} does not persist anything: set `appendonly yes`"
        return Finding("valkey", words, ok=False)
    return Finding("valkey", str(address))
