"""`oxlo calls`: an account's calls, and whether and why they counted."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from oxlo.cli import database, text
from oxlo.cli.database import CommandContext
from oxlo.cli.failures import CommandError
from oxlo.cli.options import AsJson
from oxlo.ledger.windows import iso

if TYPE_CHECKING:
    from oxlo.store.calls import Call
    from oxlo.store.grants import Grant
    from oxlo.store.history import Page

app = typer.Typer(help="Requests and their receipts.", no_args_is_help=True)


@app.command(name="list")
def list_calls(
    account: Annotated[str, typer.Option("--account", help="The account's name or id.")],
    day: Annotated[str, typer.Option(help="Only this UTC day, such as 2026-11-28.")] = "",
    counted: Annotated[bool, typer.Option("--counted", help="Only requests that counted.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Most to list.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List an account's requests, newest first: which counted, and why."""
    from oxlo.store import accounts, history

    async def work(context: CommandContext) -> "Page":
        chosen = text.day(day) if day else None
        only = history.Filter(counted=True if counted else None, day=chosen)
        async with context.database.read() as db:
            owner = await accounts.find(db, account)
            return await history.page(db, owner.id, limit=limit, only=only)

    found = database.run(work)
    typer.echo(
        text.json([_receipt(call) for call in found.calls]) if as_json else _table(found.calls)
    )
    if found.more and not as_json:
        typer.echo(f"There are older ones: --limit {limit * 10} shows more.", err=True)


@app.command()
def show(
    request: Annotated[str, typer.Argument(metavar="ID", help="The request's x-request-id.")],
    as_json: AsJson = False,
) -> None:
    """Show the receipt of any request."""
    from oxlo.store import calls, grants

    async def work(context: CommandContext) -> "tuple[Call, Grant | None]":
        async with context.database.read() as db:
            call = await calls.find(db, request)
            if call is None:
                raise CommandError(f"there is no call {request!r}; its id is its x-request-id")
            return call, await grants.of_call(db, call.id)

    call, refund = database.run(work)
    typer.echo(
        text.json(_receipt(call, refund)) if as_json else text.columns(_details(call, refund))
    )


def _receipt(call: "Call", refund: "Grant | None" = None) -> object:
    from oxlo.control.receipts import receipt

    return receipt(call, refund)


def _table(found: "Sequence[Call]") -> str:
    from oxlo.control.receipts import reason

    rows = [("TIME", "ID", "MODEL", "KEY", "STATUS", "COUNTED", "WHY")]
    rows += [
        (
            iso(call.admitted_at),
            call.id,
            call.model or "-",
            call.key_id,
            str(call.status or "-"),
            "yes" if call.counted else "no",
            reason(call),
        )
        for call in found
    ]
    return text.columns(rows)


def _details(call: "Call", refund: "Grant | None") -> list[tuple[str, str]]:
    from oxlo.control.receipts import reason

    return [
        ("Id", call.id),
        ("Account", call.account_id),
        ("Key", call.key_id),
        ("Admitted", iso(call.admitted_at)),
        ("Ended", iso(call.settled_at) if call.settled_at else "-"),
        ("Call", f"{call.endpoint}, {call.model or '-'}{', streamed' if call.stream else ''}"),
        ("Plan", call.plan),
        ("Status", f"{call.status or '-'} {call.error}".rstrip()),
        ("Outcome", call.outcome),
        ("Why", reason(call)),
        ("Refunded", f"{iso(refund.created_at)}: {refund.reason}" if refund else "no"),
        ("Replica", call.replica or "-"),
        ("Tried before", call.tried or "-"),
        (
            "Tokens",
            f"{call.tokens_in:,} in ({call.tokens_cached:,} cached), {call.tokens_out:,} out",
        ),
        ("Time", _time(call)),
    ]


def _time(call: "Call") -> str:
    first = f", first token after {call.first_ms:,.0f} ms" if call.first_ms else ""
    return f"{call.queue_ms:,.0f} ms in the queue{first}, {call.total_ms:,.0f} ms in all"
