"""The outbox: mails are written in the transaction that causes them, and sent later."""

import secrets

import msgspec
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.store.schema import mails

#: Seconds until mails are deleted, sent or not: their links have expired by then.
KEPT = 7 * 86400.0
#: Delays between attempts, seconds; after the last one the mail is given up.
WAITS = (10.0, 60.0, 300.0, 1800.0, 7200.0)


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """One mail; timestamps are unix seconds."""

    id: str
    at: float
    recipient: str
    subject: str
    body: str
    tries: int = 0
    #: Next attempt; None: sent, or given up.
    next_at: float | None = None
    sent_at: float | None = None
    error: str = ""


async def post(db: AsyncConnection, recipient: str, subject: str, body: str, *, now: float) -> Mail:
    """Queue a mail."""
    mail = Mail(
        id=f"mail_{secrets.token_hex(8)}",
        at=now,
        recipient=recipient,
        subject=subject,
        body=body,
        next_at=now,
    )
    await db.execute(insert(mails).values(msgspec.structs.asdict(mail)))
    return mail


async def due(db: AsyncConnection, now: float, *, limit: int = 20) -> list[Mail]:
    """Mails to send now, the longest waiting first.

    This includes mails scheduled too far in the future, before a clock was set back.
    """
    is_due = (mails.c.next_at <= now) | (mails.c.next_at > now + WAITS[-1])
    query = select(mails).where(is_due).order_by(mails.c.next_at).limit(limit)
    return [msgspec.convert(row, Mail) for row in (await db.execute(query)).mappings()]


async def sent(db: AsyncConnection, mail: Mail, *, now: float) -> None:
    """Mark a mail as sent, and delete its text, which may contain a link."""
    done = {"sent_at": now, "next_at": None, "body": "", "error": "", "tries": mail.tries + 1}
    await db.execute(update(mails).where(mails.c.id == mail.id).values(done))


async def keep(db: AsyncConnection, mail: Mail) -> None:
    """Leave a mail in the outbox for the operator, without sending it later."""
    await db.execute(update(mails).where(mails.c.id == mail.id).values(next_at=None))


async def failed(db: AsyncConnection, mail: Mail, error: str, *, now: float) -> None:
    """Record a failed attempt: schedule the next one, or give up."""
    tries = mail.tries + 1
    next_at = now + WAITS[tries - 1] if tries <= len(WAITS) else None
    values = {"tries": tries, "next_at": next_at, "error": error}
    await db.execute(update(mails).where(mails.c.id == mail.id).values(values))


async def latest(db: AsyncConnection, *, limit: int = 50) -> list[Mail]:
    """The newest mails: the operator's outbox."""
    query = select(mails).order_by(mails.c.at.desc(), mails.c.id).limit(limit)
    return [msgspec.convert(row, Mail) for row in (await db.execute(query)).mappings()]


async def delete_old(db: AsyncConnection, now: float) -> int:
    """Delete old mails; returns the number."""
    return int((await db.execute(delete(mails).where(mails.c.at <= now - KEPT))).rowcount)


async def forget(db: AsyncConnection, recipient: str) -> None:
    """Delete all mails to the address of a deleted account."""
    await db.execute(delete(mails).where(mails.c.recipient == recipient))
