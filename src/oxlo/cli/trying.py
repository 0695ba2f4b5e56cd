"""`oxlo models test`: the calls of `trial.py` through the platform that runs here."""

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec

from oxlo.catalogue import Model
from oxlo.cli import reach, storing, text
from oxlo.cli.failing import CommandError
from oxlo.cli.storing import Desk
from oxlo.cli.trial import Lacking, Trial, trials
from oxlo.settings import Settings

#: Seconds for one call; a large image takes a while.
_DEADLINE = 300.0
#: Of the key that is made for the calls, when none is given.
_KEY_SECONDS = 600.0
_KEY_NAME = "oxlo models test"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one call."""

    ability: str
    ok: bool
    ms: float
    #: What the reply held; or what was wrong.
    seen: str


def outcomes(model: Model, settings: Settings) -> Iterator[Outcome]:
    """Make each call of a model, as soon as the one before it is answered. Raises CommandError."""
    with _key(settings) as key:
        for trial in trials(model):
            yield _made(trial, settings, key)


@contextmanager
def _key(settings: Settings) -> Iterator[str]:
    """The key in OXLO_API_KEY, else one of the operator's that ends with the calls."""
    from oxlo.store import accounts, keys

    if given := settings.secret("OXLO_API_KEY"):
        yield given
        return

    async def issue(desk: Desk) -> tuple[keys.Key, str]:
        async with desk.database.write() as db:
            owner = await accounts.find(db, "operator")
            signing, ends = desk.settings.signing_secret(), desk.now + _KEY_SECONDS
            return await keys.issue(
                db, owner.id, name=_KEY_NAME, signing=signing, now=desk.now, expires_at=ends
            )

    key, secret = storing.run(issue)

    async def revoke(desk: Desk) -> None:
        async with desk.database.write() as db:
            await keys.revoke(db, key.id, now=desk.now)

    try:
        yield secret
    finally:
        storing.run(revoke)


def _made(trial: Trial, settings: Settings, key: str) -> Outcome:
    start = time.perf_counter()
    try:
        seen, ok = trial.seen(_sent(trial, settings, key)), True
    except urllib.error.HTTPError as error:
        seen, ok = _refusal(error), False
    except (OSError, http.client.HTTPException) as error:
        raise CommandError(
            f"{reach.address(settings)} does not answer ({error}): is `oxlo serve` running?"
        ) from None
    except (Lacking, LookupError, TypeError, ValueError) as error:
        seen, ok = f"not as promised: {error!r}", False
    return Outcome(trial.ability, ok, (time.perf_counter() - start) * 1000, seen)


def _sent(trial: Trial, settings: Settings, key: str) -> bytes:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": trial.type}
    url = reach.address(settings) + trial.path
    request = urllib.request.Request(url, data=trial.body, headers=headers)  # noqa: S310 - ours
    context = reach.own_tls() if settings.scheme == "https" else None
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
            told = msgspec.json.decode(error.read(), type=_Refusal).error
        except msgspec.DecodeError:
            return f"status {error.code}"
    return f"{error.code} {told.code}: {told.message}"


def table(made: Iterable[Outcome]) -> str:
    """Outcomes as a table."""
    rows = [("ABILITY", "", "MS", "SEEN")]
    rows += [(o.ability, "ok" if o.ok else "!!", f"{o.ms:,.0f}", o.seen) for o in made]
    return text.columns(rows)
