"""`oxlo accounts`: accounts and their plans."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, NamedTuple

import msgspec
import typer

from oxlo.cli import database, text
from oxlo.cli.database import CommandContext
from oxlo.cli.failures import CommandError
from oxlo.cli.options import AsJson
from oxlo.ledger.windows import DAY, day_of
from oxlo.plans import Plan

if TYPE_CHECKING:
    from oxlo.store.accounts import Account
    from oxlo.store.grants import Grant
    from oxlo.store.keys import Key

app = typer.Typer(help="Accounts and their plans.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's name or id.")]
#: Credentials of the portal, which are never printed.
_SECRET = ("password_hash", "totp_nonce", "totp_step")


@app.command()
def create(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of the account; must be unused.")
    ],
    email: Annotated[str | None, typer.Option(help="E-mail address.")] = None,
    plan: Annotated[str, typer.Option(help="The plan's id.")] = "free",
) -> None:
    """Create an account. It gets no key: see `oxlo keys create`."""
    from oxlo.store import accounts

    async def work(context: CommandContext) -> "Account":
        chosen = context.plan(plan)
        async with context.database.write() as db:
            made = await accounts.create(db, name, chosen, now=context.now, email=email)
            await context.note(db, "account.created", made.id, chosen.id)
            return made

    account = database.run(work)
    typer.echo(f"Created account {account.name} ({account.id}) on plan {account.plan}.")


@app.command(name="list")
def list_accounts(as_json: AsJson = False) -> None:
    """List the accounts, oldest first."""
    from oxlo.store import accounts

    async def work(context: CommandContext) -> "list[Account]":
        async with context.database.read() as db:
            return await accounts.everyone(db)

    found = database.run(work)
    typer.echo(text.json([_public(account) for account in found]) if as_json else _table(found))


@app.command(name="set-plan")
def set_plan(
    name: Name, plan: Annotated[str, typer.Argument(metavar="PLAN", help="The new plan's id.")]
) -> None:
    """Change an account's plan, from its next request on."""
    from oxlo.store import accounts

    async def work(context: CommandContext) -> "Account":
        chosen = context.plan(plan)
        async with context.database.write() as db:
            found = await accounts.find(db, name)
            await context.note(db, "account.plan", found.id, f"{found.plan} to {chosen.id}")
            return await accounts.set_plan(db, found, chosen)

    account = database.run(work)
    typer.echo(f"Account {account.name} is on plan {account.plan}.")


@app.command()
def grant(
    name: Name,
    requests: Annotated[int, typer.Argument(metavar="NUMBER", help="Number of extra requests.")],
    reason: Annotated[str, typer.Option(help="Reason; the account sees it.")],
    day: Annotated[str, typer.Option(help="UTC day, such as 2026-11-28; default: today.")] = "",
) -> None:
    """Grant an account extra requests for one day."""
    from oxlo.store import accounts, grants

    async def work(context: CommandContext) -> "tuple[Account, Grant]":
        async with context.database.write() as db:
            account = await accounts.find(db, name)
            chosen = text.day(day) if day else day_of(context.now)
            granted = await grants.give(
                db, account.id, requests, reason, day=chosen, now=context.now
            )
            await context.note(db, "requests.granted", account.id, f"{requests}: {granted.reason}")
            return account, granted

    account, granted = database.run(work)
    typer.echo(
        f"Account {account.name} got {granted.requests:,} requests more for {_date(granted)}."
    )


@app.command()
def refund(
    request: Annotated[str, typer.Argument(metavar="ID", help="The request's x-request-id.")],
    reason: Annotated[str, typer.Option(help="Reason; the account sees it, also on the receipt.")],
) -> None:
    """Refund a counted request: the account gets one more today."""
    from oxlo.store import grants

    async def work(context: CommandContext) -> "Grant":
        async with context.database.write() as db:
            granted = await grants.refund(db, request, reason, now=context.now)
            note = f"{request}: {granted.reason}"
            await context.note(db, "request.refunded", granted.account_id, note)
            return granted

    granted = database.run(work)
    typer.echo(f"Call {request} is refunded: {granted.account_id} has one request more today.")


@app.command()
def close(name: Name) -> None:
    """Close an account: within a second its keys get 401 and its sessions end."""
    from oxlo.store import accounts, identity

    async def work(context: CommandContext) -> "Account":
        async with context.database.write() as db:
            account = await accounts.find(db, name)
            await identity.close(db, account, now=context.now)
            await context.note(db, "account.closed", account.id)
            return account

    typer.echo(f"Account {database.run(work).name} is closed: its keys get 401.")


@app.command()
def reopen(name: Name) -> None:
    """Reopen a closed account; its keys work again."""
    from oxlo.store import accounts, identity

    async def work(context: CommandContext) -> "Account":
        async with context.database.write() as db:
            account = await accounts.find(db, name)
            await identity.reopen(db, account)
            await context.note(db, "account.opened", account.id)
            return account

    typer.echo(f"Account {database.run(work).name} is open.")


@app.command()
def link(name: Name) -> None:
    """Print a link that sets the account's password; it works once, for a week."""
    from oxlo.store import accounts, tokens

    async def work(context: CommandContext) -> str:
        async with context.database.write() as db:
            account = await accounts.find(db, name)
            who = account.id
            await context.note(db, "password.link", who)
            return await tokens.welcome(db, who, context.settings.base_url, now=context.now)

    typer.echo(database.run(work))


@app.command(name="disable-codes")
def disable_codes(name: Name) -> None:
    """Turn off one-time codes for somebody who lost the device and the recovery codes."""
    from oxlo.portal import letters
    from oxlo.store import accounts, identity

    async def work(context: CommandContext) -> "Account":
        async with context.database.write() as db:
            account = await accounts.find(db, name)
            if account.totp_at is None:
                raise CommandError(f"one-time codes are not on for {account.name}")
            await identity.end_totp(db, account)
            letter = letters.codes_turned_off(context.settings.base_url)
            await letters.notify(db, account, letter, now=context.now)
            await context.note(db, "totp.off", account.id)
            return account

    account = database.run(work)
    typer.echo(f"One-time codes are off for {account.name}: the password alone logs in.")


@app.command()
def show(name: Name, as_json: AsJson = False) -> None:
    """Show an account, its plan, and today's counted requests."""
    from oxlo.store import accounts, calls, grants, keys

    async def work(context: CommandContext) -> "tuple[Account, list[Key], Today, Plan, float]":
        today = day_of(context.now)
        async with context.database.read() as db:
            account = await accounts.find(db, name)
            counted = await calls.counted_on(db, account.id, today)
            granted = dict(await grants.by_day(db, account.id, today)).get(today, 0)
            owned = await keys.of_account(db, account.id)
        return account, owned, Today(counted, granted), context.plan(account.plan), context.now

    account, owned, today, plan, now = database.run(work)
    active = sum(key.state(now) == "active" for key in owned)
    if as_json:
        counts = {"counted_today": today.counted, "granted_today": today.granted}
        typer.echo(text.json(_public(account) | counts | {"active_keys": active}))
    else:
        typer.echo(text.columns(_details(account, plan, today, active)))


class Today(NamedTuple):
    """Requests of the current UTC day: counted ones, and those granted beyond the plan."""

    counted: int
    granted: int


def _details(account: "Account", plan: Plan, today: Today, active: int) -> list[tuple[str, str]]:
    per_day = plan.requests_per_day
    allowed = None if per_day is None else per_day + today.granted
    return [
        ("Account", account.name),
        ("Id", account.id),
        ("E-mail", account.email or "-"),
        ("Role", account.role),
        ("Plan", f"{plan.id} ({_limit(plan.requests_per_day)} a day)"),
        ("Trial until", text.minute(account.trial_until)),
        ("One-time codes", "on" if account.totp_at else "off"),
        ("State", f"closed {text.minute(account.disabled_at)}" if account.disabled_at else "open"),
        ("Created", text.minute(account.created_at)),
        ("Active keys", str(active)),
        ("Counted today", f"{today.counted} of {_limit(allowed)}"),
        ("Granted today", f"{today.granted:,}"),
    ]


def _date(grant: "Grant") -> str:
    return datetime.fromtimestamp(grant.day * DAY, UTC).strftime("%Y-%m-%d")


def _table(found: "list[Account]") -> str:
    rows = [("NAME", "PLAN", "ROLE", "STATE", "TRIAL UNTIL", "CREATED", "ID")]
    rows += [
        (
            a.name,
            a.plan,
            a.role,
            "closed" if a.disabled_at else "open",
            text.minute(a.trial_until),
            text.minute(a.created_at),
            a.id,
        )
        for a in found
    ]
    return text.columns(rows)


def _public(account: "Account") -> dict[str, object]:
    fields = msgspec.to_builtins(account)
    return {name: value for name, value in fields.items() if name not in _SECRET}


def _limit(count: int | None) -> str:
    return "unlimited" if count is None else f"{count:,}"
