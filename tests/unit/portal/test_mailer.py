"""Mails: sent, retried, or kept for the operator."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog
from tests import databases

from oxlo.portal.mailer import Mailer, server
from oxlo.settings import Settings, SettingsError
from oxlo.store import mails
from oxlo.store.database import Database
from oxlo.store.mails import Mail
from oxlo.testing.smtp import SmtpDouble

NOW = 1_800_000_000.0


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """A fresh database."""
    async with databases.sqlite(f"sqlite:///{tmp_path / 'oxlo.db'}") as database:
        yield database


async def _round(database: Database, url: str, now: float = NOW) -> Mail:
    """Queue a mail unless there is one, and run the mailer once."""
    settings = Settings(smtp_url=url, public_url="https://ai.example.org")
    async with database.write() as db:
        if not await mails.latest(db):
            await mails.post(db, "ann@example.com", "Grüße", "A link:\n\nhttps://x/?t=1\n", now=NOW)
    await Mailer(settings, database).run(now)
    async with database.read() as db:
        return (await mails.latest(db))[0]


async def test_mail_arrives(database: Database) -> None:
    """As plain text, from the configured sender, once."""
    async with SmtpDouble() as double:
        kept = await _round(database, double.url)
        await _round(database, double.url, NOW + 60)
    (mail,) = double.mails
    assert (mail["From"], mail["To"]) == ("Oxlo <oxlo@ai.example.org>", "ann@example.com")
    assert "https://x/?t=1" in str(mail.get_payload(decode=True))
    assert (kept.sent_at, kept.body) == (NOW, "")


async def test_refused_mail_is_tried_again(database: Database) -> None:
    """A refused or undeliverable mail is retried; the operator's page shows why."""
    async with SmtpDouble() as double:
        double.verdict = "450 mailbox is busy"
        kept = await _round(database, double.url)
        assert "450" in kept.error or "busy" in kept.error
        assert kept.next_at == NOW + mails.WAITS[0]
        double.verdict = "250 ok"
        assert (await _round(database, double.url, NOW + mails.WAITS[0])).sent_at is not None
    assert len(double.mails) == 1


async def test_wrong_password_and_no_server(database: Database) -> None:
    """Neither stops the job."""
    async with SmtpDouble() as double:
        url = double.url
        kept = await _round(database, url.replace("p%40ss", "other"))
        assert "535" in kept.error
    assert (await _round(database, url, NOW + 100)).tries == 2


async def test_kept_mail_is_logged_without_its_text(database: Database) -> None:
    """The log names recipient and outbox, once, without the link."""
    with structlog.testing.capture_logs() as lines:
        kept = await _round(database, "")
        assert await _round(database, "", NOW + 60) == kept
    assert kept.body
    assert kept.next_at is None
    (line,) = [line for line in lines if line["event"] == "mail.kept"]
    assert (line["to"], line["subject"]) == ("ann@example.com", "Grüße")
    assert "https://x" not in str(lines)


@pytest.mark.parametrize("url", ["mail.example.com", "http://mail", "smtp://", "smtp://host:port"])
def test_urls_that_cannot_be(url: str) -> None:
    """An invalid SMTP URL is refused at the start."""
    with pytest.raises(SettingsError, match="OXLO_SMTP_URL"):
        server(url)
