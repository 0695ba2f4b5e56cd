"""`oxlo keys`: make, list and revoke API keys."""

import re
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from oxlo.cli import database, text
from oxlo.cli.database import CommandContext
from oxlo.cli.failures import CommandError
from oxlo.cli.options import AsJson
from oxlo.settings import Settings

if TYPE_CHECKING:
    from oxlo.store.keys import Key, Scope

app = typer.Typer(help="API keys.", no_args_is_help=True)

_SECONDS = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}

Owner = Annotated[str, typer.Option("--account", help="The account's name or id.")]


@app.command()
def create(
    account: Owner,
    name: Annotated[str, typer.Option(help="Label of the key.")] = "key",
    expires: Annotated[
        str, typer.Option(help="Lifetime, such as 12h, 30d or 8w; default: no expiry.")
    ] = "",
    models: Annotated[str, typer.Option(help="Allow only these models, comma-separated.")] = "",
    endpoints: Annotated[
        str, typer.Option(help="Allow only these endpoints, such as chat,completions.")
    ] = "",
    origins: Annotated[
        str, typer.Option(help="Allow only these browser origins, comma-separated.")
    ] = "",
    quiet: Annotated[bool, typer.Option("--quiet", help="Print only the key.")] = False,
) -> None:
    """Create a key and print it; it cannot be shown again."""
    from oxlo.store import accounts, keys

    async def work(context: CommandContext) -> "tuple[Key, str]":
        scope = _scope(context.settings, models, endpoints, origins)
        ends = context.now + _seconds(expires) if expires else None
        async with context.database.write() as db:
            owner = await accounts.find(db, account)
            signing = context.settings.signing_secret()
            key, secret = await keys.issue(
                db,
                owner.id,
                name=name,
                signing=signing,
                now=context.now,
                expires_at=ends,
                scope=scope,
            )
            await context.note(db, "key.created", key.id, f"{key.name} of {owner.name}")
            return key, secret

    key, secret = database.run(work)
    typer.echo(secret if quiet else f"Created {key.id}. Keep the key now: {secret}")


@app.command(name="list")
def list_keys(account: Owner, as_json: AsJson = False) -> None:
    """List an account's keys, without their secrets."""
    from oxlo.store import accounts, keys

    async def work(context: CommandContext) -> "tuple[list[Key], float]":
        async with context.database.read() as db:
            owner = await accounts.find(db, account)
            return await keys.of_account(db, owner.id), context.now

    found, now = database.run(work)
    typer.echo(_json(found, now) if as_json else _table(found, now))


@app.command()
def revoke(
    key_id: Annotated[
        str, typer.Argument(metavar="ID", help="The key's id, from `oxlo keys list`.")
    ],
) -> None:
    """Revoke a key for good, within a second."""
    from oxlo.store import keys

    async def work(context: CommandContext) -> "Key":
        async with context.database.write() as db:
            key = await keys.revoke(db, key_id, now=context.now)
            await context.note(db, "key.revoked", key.id, f"{key.name} ({key.prefix}...)")
            return key

    key = database.run(work)
    typer.echo(f"Revoked {key.id} ({key.name}, {key.prefix}...).")


def _scope(settings: Settings, models: str, endpoints: str, origins: str) -> "Scope":
    """The key's restrictions. Names are checked: an unknown one would make the key useless."""
    from oxlo import catalogue
    from oxlo.store import keys

    known = catalogue.load(settings.catalogue_dir)
    return keys.Scope(
        models=frozenset(known.resolve(name).id for name in _parts(models)),
        endpoints=frozenset(_endpoint(name) for name in _parts(endpoints)),
        origins=frozenset(keys.origin(part) for part in _parts(origins)),
    )


def _endpoint(name: str) -> str:
    from oxlo.gateway.endpoints import INFERENCE

    known = [endpoint.name for endpoint in INFERENCE]
    if name not in known:
        raise CommandError(f"no endpoint {name!r}; there are {', '.join(known)}")
    return name


def _seconds(duration: str) -> int:
    match = re.fullmatch(r"([1-9]\d{0,5})([mhdw])", duration.strip())
    if match is None:
        raise CommandError(f"--expires {duration!r}: give a duration such as 12h, 30d or 8w")
    return int(match[1]) * _SECONDS[match[2]]


def _parts(text_list: str) -> list[str]:
    return [part.strip() for part in text_list.split(",") if part.strip()]


def _table(found: "list[Key]", now: float) -> str:
    header = ("ID", "NAME", "KEY", "STATE", "CREATED", "EXPIRES", "LAST USED")
    return text.columns([header, *(_row(key, now) for key in found)])


def _row(key: "Key", now: float) -> tuple[str, ...]:
    times = map(text.minute, (key.created_at, key.expires_at, key.last_used_at))
    return (key.id, key.name, f"{key.prefix}...", key.state(now), *times)


def _json(found: "list[Key]", now: float) -> str:
    shown = [
        {name: value for name, value in msgspec.to_builtins(key).items() if name != "sha256"}
        | {"state": key.state(now)}
        for key in found
    ]
    return text.json(shown)
