"""`oxlo models test`: runs the smoke tests against this machine's gateway."""

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec

from oxlo.catalogue import Model
from oxlo.cli import database, local_gateway, text
from oxlo.cli.database import CommandContext
from oxlo.cli.failures import CommandError
from oxlo.cli.smoke import SmokeTest, UnexpectedReply, smoke_tests
from oxlo.settings import Settings

#: Timeout of a request, in seconds; large images take long.
_DEADLINE = 300.0
#: Lifetime of the temporary key.
_KEY_SECONDS = 600.0
_KEY_NAME = "oxlo models test"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one test."""

    ability: str
    ok: bool
    ms: float
    #: Summary of the response, or the error.
    summary: str


def outcomes(model: Model, settings: Settings) -> Iterator[Outcome]:
    """Run the tests of a model one after the other. Raises CommandError."""
    with _key(settings) as key:
        for test in smoke_tests(model):
            yield _run(test, settings, key)


@contextmanager
def _key(settings: Settings) -> Iterator[str]:
    """The key in OXLO_API_KEY, by default a temporary one of the operator."""
    from oxlo.store import accounts, keys

    if configured := settings.secret("OXLO_API_KEY"):
        yield configured
        return

    async def issue(context: CommandContext) -> tuple[keys.Key, str]:
        async with context.database.write() as db:
            owner = await accounts.find(db, "operator")
            signing, ends = context.settings.signing_secret(), context.now + _KEY_SECONDS
            return await keys.issue(
                db, owner.id, name=_KEY_NAME, signing=signing, now=context.now, expires_at=ends
            )

    key, secret = database.run(issue)

    async def revoke(context: CommandContext) -> None:
        async with context.database.write() as db:
            await keys.revoke(db, key.id, now=context.now)

    try:
        yield secret
    finally:
        database.run(revoke)


def _run(test: SmokeTest, settings: Settings, key: str) -> Outcome:
    start = time.perf_counter()
    try:
        summary, ok = test.check(_send(test, settings, key)), True
    except urllib.error.HTTPError as error:
        summary, ok = _refusal(error), False
    except (OSError, http.client.HTTPException) as error:
        raise CommandError(
            f"{local_gateway.address(settings)} does not answer ({error}): is `oxlo serve` running?"
        ) from None
    except (UnexpectedReply, LookupError, TypeError, ValueError) as error:
        summary, ok = f"not as promised: {error!r}", False
    return Outcome(test.ability, ok, (time.perf_counter() - start) * 1000, summary)


def _send(test: SmokeTest, settings: Settings, key: str) -> bytes:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": test.type}
    url = local_gateway.address(settings) + test.path
    request = urllib.request.Request(url, data=test.body, headers=headers)  # noqa: S310 - ours
    context = local_gateway.own_tls() if settings.scheme == "https" else None
    with urllib.request.urlopen(request, timeout=_DEADLINE, context=context) as reply:  # noqa: S310
        return bytes(reply.read())


class _Error(msgspec.Struct):
    message: str
    code: str | None = None


class _Refusal(msgspec.Struct):
    error: _Error


def _refusal(error: urllib.error.HTTPError) -> str:
    with error:
        try:
            reported = msgspec.json.decode(error.read(), type=_Refusal).error
        except msgspec.DecodeError:
            return f"status {error.code}"
    return f"{error.code} {reported.code}: {reported.message}"


def table(made: Iterable[Outcome]) -> str:
    """Format outcomes as a table."""
    rows = [("ABILITY", "", "MS", "SEEN")]
    rows += [(o.ability, "ok" if o.ok else "!!", f"{o.ms:,.0f}", o.summary) for o in made]
    return text.columns(rows)
