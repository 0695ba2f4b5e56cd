"""`oxlo accounts`: who may call, and under which plan."""

from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from oxlo.cli import storing, text
from oxlo.cli.storing import Desk
from oxlo.plans import Plan

if TYPE_CHECKING:
    from oxlo.store.accounts import Account
    from oxlo.store.keys import Key

app = typer.Typer(help="Accounts and their plans.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The account's name or id.")]
#: What the portal checks people by; never printed.
_SECRET = ("password_hash", "totp_nonce", "totp_step")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="A name that no other account has.")],
    email: Annotated[str | None, typer.Option(help="E-mail address.")] = None,
    plan: Annotated[str, typer.Option(help="The plan's id.")] = "free",
) -> None:
    """Create an account. It gets no key: see `oxlo keys create`."""
    from oxlo.store import accounts

    async def work(desk: Desk) -> "Account":
        chosen = desk.plan(plan)
        async with desk.database.write() as db:
            return await accounts.create(db, name, chosen, now=desk.now, email=email)

    account = storing.run(work)
    typer.echo(f"Created account {account.name} ({account.id}) on plan {account.plan}.")


@app.command(name="list")
def list_accounts(as_json: AsJson = False) -> None:
    """List the accounts, oldest first."""
    from oxlo.store import accounts

    async def work(desk: Desk) -> "list[Account]":
        async with desk.database.read() as db:
            return await accounts.everyone(db)

    found = storing.run(work)
    typer.echo(_json([_public(account) for account in found]) if as_json else _table(found))


@app.command(name="set-plan")
def set_plan(name: Name, plan: Annotated[str, typer.Argument(help="The new plan's id.")]) -> None:
    """Put an account on another plan, from its next call on."""
    from oxlo.store import accounts

    async def work(desk: Desk) -> "Account":
        chosen = desk.plan(plan)
        async with desk.database.write() as db:
            return await accounts.set_plan(db, await accounts.find(db, name), chosen)

    account = storing.run(work)
    typer.echo(f"Account {account.name} is on plan {account.plan}.")


@app.command()
def show(name: Name, as_json: AsJson = False) -> None:
    """Show an account, what its plan allows, and what counted today."""
    from oxlo.store import accounts, calls, keys

    async def work(desk: Desk) -> "tuple[Account, list[Key], int, Plan, float]":
        async with desk.database.read() as db:
            account = await accounts.find(db, name)
            counted = await calls.counted_on(db, account.id, int(desk.now // 86400))
            owned = await keys.of_account(db, account.id)
        return account, owned, counted, desk.plan(account.plan), desk.now

    account, owned, counted, plan, now = storing.run(work)
    active = sum(key.state(now) == "active" for key in owned)
    if as_json:
        typer.echo(_json(_public(account) | {"counted_today": counted, "active_keys": active}))
    else:
        typer.echo(text.columns(_details(account, plan, counted, active)))


def _details(account: "Account", plan: Plan, counted: int, active: int) -> list[tuple[str, str]]:
    return [
        ("Account", account.name),
        ("Id", account.id),
        ("E-mail", account.email or "-"),
        ("Role", account.role),
        ("Plan", f"{plan.id} ({_limit(plan.requests_per_day)} a day)"),
        ("Trial until", text.moment(account.trial_until)),
        ("Created", text.moment(account.created_at)),
        ("Active keys", str(active)),
        ("Counted today", f"{counted} of {_limit(plan.requests_per_day)}"),
    ]


def _table(found: "list[Account]") -> str:
    rows = [("NAME", "PLAN", "ROLE", "TRIAL UNTIL", "CREATED", "ID")]
    rows += [
        (a.name, a.plan, a.role, text.moment(a.trial_until), text.moment(a.created_at), a.id)
        for a in found
    ]
    return text.columns(rows)


def _public(account: "Account") -> dict[str, object]:
    fields = msgspec.to_builtins(account)
    return {name: value for name, value in fields.items() if name not in _SECRET}


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value)).decode()


def _limit(count: int | None) -> str:
    return "unlimited" if count is None else f"{count:,}"
