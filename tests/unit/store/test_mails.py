"""The outbox on a real database."""

from oxlo.store import mails
from oxlo.store.database import Database

NOW = 1_800_000_000.0


async def test_sent_mail_keeps_no_text(database: Database) -> None:
    """What was sent is known, what it said is not."""
    async with database.write() as db:
        mail = await mails.post(db, "a@b.example", "Hello", "a secret link", now=NOW)
        assert await mails.due(db, NOW) == [mail]
        await mails.sent(db, mail, now=NOW + 1)
        (kept,) = await mails.latest(db)
        assert await mails.due(db, NOW + 9) == []
    assert (kept.sent_at, kept.body) == (NOW + 1, "")


async def test_failed_mail_is_tried_later_and_given_up(database: Database) -> None:
    """Each failure waits longer; after the last nothing more is tried."""
    async with database.write() as db:
        await mails.post(db, "a@b.example", "Hello", "text", now=NOW)
        now, tries = NOW, 0
        while due := await mails.due(db, now):
            await mails.failed(db, due[0], "refused", now=now)
            now, tries = now + mails.WAITS[min(tries, len(mails.WAITS) - 1)], tries + 1
        assert tries == len(mails.WAITS) + 1
        assert (await mails.latest(db))[0].error == "refused"
        assert await mails.delete_old(db, NOW + mails.KEPT) == 1


async def test_a_wrong_clock_holds_no_mail_back(database: Database) -> None:
    """One that was written by a clock a day ahead is sent as soon as the clock is right."""
    async with database.write() as db:
        mail = await mails.post(db, "a@b.example", "Hello", "text", now=NOW + 86_400)
        assert await mails.due(db, NOW) == [mail]
