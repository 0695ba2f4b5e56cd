"""Sends mails: by SMTP where a server is set, else they stay in the operator's outbox."""

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

#: Seconds for each step of talking to a mail server.
TIMEOUT = 20.0
_PORTS = {"smtp": 587, "smtps": 465}

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Server:
    """A mail server."""

    host: str
    port: int
    #: TLS from the first byte; otherwise as soon as the server offers it.
    tls: bool
    user: str
    password: str


def server(url: str) -> Server:
    """The server of `OXLO_SMTP_URL`. Raises SettingsError."""
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
    """Sends what is due."""

    def __init__(self, settings: Settings, database: Database) -> None:
        """Raises SettingsError when the mail server's URL cannot be one."""
        self._server = server(settings.smtp_url) if settings.smtp_url else None
        self._sender = settings.sender
        self._database = database

    async def run(self, now: float) -> None:
        """One round. Raises DatabaseUnavailable."""
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
        # Its text stays out of the log: a link in it is as good as a password.
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
    """A mail as it is sent."""
    made = EmailMessage()
    made["From"] = formataddr(("Oxlo", sender))
    made["To"] = mail.recipient
    made["Subject"] = mail.subject
    made["Date"] = format_datetime(datetime.fromtimestamp(mail.at, UTC))
    made["Message-ID"] = make_msgid(mail.id, sender.rpartition("@")[2])
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(mail.body)
    return made


def send(server: Server, message: EmailMessage) -> None:
    """Give a message to the server. Raises OSError or SMTPException."""
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
