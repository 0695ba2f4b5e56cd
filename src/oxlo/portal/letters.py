"""Mails sent by the portal. Plain text: nothing is fetched or hidden."""

from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from oxlo.store import mails
from oxlo.store.accounts import Account


class Letter(NamedTuple):
    """A mail without its recipient."""

    subject: str
    body: str


async def post(db: AsyncConnection, recipient: str, letter: Letter, *, now: float) -> None:
    """Queue a mail in the transaction that causes it."""
    await mails.post(db, recipient, letter.subject, letter.body, now=now)


async def notify(db: AsyncConnection, account: Account, letter: Letter, *, now: float) -> None:
    """Queue a mail to an account, if it has an address."""
    if account.email:
        await post(db, account.email, letter, now=now)


def verify(base: str, token: str) -> Letter:
    """Verify an address."""
    return Letter(
        "Confirm your e-mail address",
        f"""Open this link to confirm that this address is yours:

{base}/verify?token={token}

The link works once, for three days. If you have not made an account at {base}, ignore this mail.
""",
    )


def reset(base: str, token: str) -> Letter:
    """Set a new password."""
    return Letter(
        "Set a new password",
        f"""Somebody, hopefully you, asked for a new password for your account at {base}.
Open this link to set one:

{base}/reset?token={token}

The link works once, for one hour. If it was not you, ignore this mail: nothing has changed.
""",
    )


def password_changed(base: str, address: str) -> Letter:
    """The password was changed."""
    return Letter(
        "Your password was changed",
        f"""The password of your account at {base} was changed just now, from the address {address}.
You are logged out everywhere else.

If it was not you, set a new one at once: {base}/forgot
""",
    )


def address_changed(base: str, new: str) -> Letter:
    """The address was changed; sent to the old one."""
    return Letter(
        "Your e-mail address was changed",
        f"""The e-mail address of your account at {base} was changed to {new}.

If it was not you, write to the operator of {base}.
""",
    )


def recovery_used(base: str, address: str, left: int) -> Letter:
    """A recovery code was used."""
    return Letter(
        "A recovery code was used",
        f"""A recovery code of your account at {base} was used just now, from the address {address}.
{left} are left; Settings makes new ones.

If it was not you, set a new password at once: {base}/forgot
""",
    )


def codes_turned_off(base: str) -> Letter:
    """An operator turned one-time codes off."""
    return Letter(
        "One-time codes are off",
        f"""The operator of {base} turned off one-time codes for your account.
You log in with your password alone; Settings sets up codes on a new device.

If you did not ask for it, set a new password at once: {base}/forgot
""",
    )


def goodbye(base: str) -> Letter:
    """The account was deleted."""
    return Letter(
        "Your account was deleted",
        f"""Your account at {base} was deleted: its keys, sessions and data are gone,
and its receipts name nobody any more.
""",
    )


def plan_decided(base: str, plan: str, *, approved: bool) -> Letter:
    """A plan request was approved or declined."""
    if approved:
        return Letter(f"You are on {plan}", f"Your account at {base} is on {plan} from now on.\n")
    return Letter(
        f"Your request for {plan}",
        f"The operator of {base} did not put your account on {plan}. Your plan stays as it is.\n",
    )
