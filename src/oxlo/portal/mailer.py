"""Sends queued mails by SMTP; without a server they stay in the operator's outbox."""

import asyncio
import smtplib
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, formataddr, make_msgid
from urllib.parse import unquote, urlsplit

import structlog

from oxlo.settings import Settings, SettingsError
from oxlo.store import mails
from oxlo.store.database import Database
from oxlo.store.mails import Mail

#: Timeout of SMTP operations in seconds.
TIMEOUT = 20.0
_PORTS = {"smtp": 587, "smtps": 465}

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Server:
    """Connection parameters of a mail server."""

    host: str
    port: int
    #: Implicit TLS; otherwise STARTTLS if the server offers it.
    tls: bool
    user: str
    password: str


def server(url: str) -> Server:
    """Parse `OXLO_SMTP_URL`. Raises SettingsError."""
    parts = urlsplit(url)
    try:
        port = parts.port or _PORTS[parts.scheme]
    except (KeyError, ValueError):
        raise SettingsError("OXLO_SMTP_URL: takes smtp://user:password@host:587") from None
    if not parts.hostname:
        raise SettingsError("OXLO_SMTP_URL: names no host")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Server(parts.hostname, port, parts.scheme == "smtps", user, password)


class Mailer:
    """Sends mails that are due."""

    def __init__(self, settings: Settings, database: Database) -> None:
        """Raises SettingsError if the mail server's URL is invalid."""
        self._server = server(settings.smtp_url) if settings.smtp_url else None
        self._sender = settings.sender
        self._database = database

    async def run(self, now: float) -> None:
        """Send what is due, once. Raises DatabaseUnavailable."""
        async with self._database.read() as db:
            due = await mails.due(db, now)
        for mail in due:
            await self._deliver(mail, now)

    async def _deliver(self, mail: Mail, now: float) -> None:
        if self._server is None:
            await self._keep(mail)
            return
        try:
            await asyncio.to_thread(send, self._server, message(mail, self._sender))
        except (OSError, smtplib.SMTPException) as error:
            log.warning("mail.failed", mail=mail.id, tries=mail.tries + 1, error=str(error))
            async with self._database.write() as db:
                await mails.failed(db, mail, str(error)[:300], now=now)
            return
        log.info("mail.sent", mail=mail.id, subject=mail.subject)
        async with self._database.write() as db:
            await mails.sent(db, mail, now=now)

    async def _keep(self, mail: Mail) -> None:
        # The body is not logged: a link in it is as sensitive as a password.
        log.info(
            "mail.kept",
            mail=mail.id,
            to=mail.recipient,
            subject=mail.subject,
            read_at="/operator/outbox",
        )
        async with self._database.write() as db:
            await mails.keep(db, mail)


def message(mail: Mail, sender: str) -> EmailMessage:
    """Build the MIME message."""
    email = EmailMessage()
    email["From"] = formataddr(("Oxlo", sender))
    email["To"] = mail.recipient
    email["Subject"] = mail.subject
    email["Date"] = format_datetime(datetime.fromtimestamp(mail.at, UTC))
    email["Message-ID"] = make_msgid(mail.id, sender.rpartition("@")[2])
    email["Auto-Submitted"] = "auto-generated"
    email.set_content(mail.body)
    return email


def send(server: Server, message: EmailMessage) -> None:
    """Send a message through the server. Raises OSError or SMTPException."""
    context = ssl.create_default_context()
    if server.tls:
        client: smtplib.SMTP = smtplib.SMTP_SSL(
            server.host, server.port, timeout=TIMEOUT, context=context
        )
    else:
        client = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT)
    with client:
        if not server.tls and _offers_tls(client):
            client.starttls(context=context)
        if server.user:
            client.login(server.user, server.password)
        client.send_message(message)


def _offers_tls(client: smtplib.SMTP) -> bool:
    client.ehlo_or_helo_if_needed()
    return client.has_extn("starttls")
