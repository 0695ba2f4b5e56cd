"""Login with a provider, against a double on a local port."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from tests.unit.portal.conftest import opened
from tests.unit.portal.people import EMAIL, Portal, Somebody
from tests.waiting import PATIENCE

from oxlo import plans
from oxlo.plans import apikey
from oxlo.portal.auth import oauth, providers
from oxlo.portal.auth.oauth import Person as Vouched
from oxlo.settings import Settings, SettingsError
from oxlo.store import accounts, identity, keys
from oxlo.testing.oidc import OidcDouble, Person

WITH = "/login/with/oidc"


@pytest.fixture
async def provider() -> AsyncIterator[OidcDouble]:
    """A double of an OpenID Connect provider."""
    async with OidcDouble("client", "s3cret:with:colons") as double:
        yield double


@pytest.fixture
async def portal(provider: OidcDouble, tmp_path: Path) -> AsyncIterator[Portal]:
    """An installation with the provider configured."""
    settings = Settings(
        home=tmp_path,
        oidc_issuer=provider.issuer,
        oidc_client="client:s3cret:with:colons",
        oidc_name="Example",
    )
    settings.prepare()
    async with opened(settings) as portal:
        yield portal


async def _return(somebody: Somebody, start: str = WITH) -> str:
    """Log in at the provider; return the URL that it redirects the browser to."""
    leaving = await somebody.get(start)
    assert leaving.status_code == 303, leaving.text
    async with httpx2.AsyncClient(timeout=PATIENCE) as client:
        back = await client.get(leaving.headers["location"])
    return back.headers["location"]


async def _log_in(somebody: Somebody, start: str = WITH) -> httpx2.Response:
    return await somebody.get(await _return(somebody, start))


async def test_newcomer_gets_an_account(portal: Portal) -> None:
    """With a verified address and a trial; the second login opens the same account."""
    assert "Continue with Example" in (await portal.somebody().get("/login")).text
    for _ in range(2):
        somebody = portal.somebody()
        reply = await _log_in(somebody, f"{WITH}?returnUrl=/pricing")
        assert (reply.status_code, reply.headers["location"]) == (303, "/pricing")
        assert await somebody.is_in()
    async with portal.database.read() as db:
        account = await identity.by_email(db, EMAIL)
        assert account is not None
        assert account.verified_at is not None
        assert len(await accounts.everyone(db)) == 1


async def test_state_is_of_this_browser(portal: Portal) -> None:
    """A callback from another browser's login, or from none, is refused."""
    address = await _return(portal.somebody())
    victim = portal.somebody()
    assert (await victim.get(address)).status_code == 400
    assert (await victim.get(f"{WITH}/callback?code=x&state=y")).status_code == 400
    assert not await victim.is_in()


async def test_answer_works_once(portal: Portal) -> None:
    """Neither the code nor the handshake works twice."""
    somebody = portal.somebody()
    address = await _return(somebody)
    assert (await somebody.get(address)).status_code == 303
    assert (await somebody.get(address)).status_code == 400


async def test_slow_return(portal: Portal) -> None:
    """After ten minutes the login has to be started again."""
    somebody = portal.somebody()
    address = await _return(somebody)
    portal.clock.now += 600
    assert (await somebody.get(address)).status_code == 400


async def test_unproved_account_is_taken_over_clean(portal: Portal) -> None:
    """Whoever signed up with somebody else's address loses all access."""
    squatter = await portal.newcomer()
    reply = await squatter.send("/dashboard/api-keys", name="k")
    secret = reply.text.partition('data-copy="')[2].partition('"')[0]
    owner = portal.somebody()
    assert (await _log_in(owner)).status_code == 303
    assert await owner.is_in()
    assert not await squatter.is_in()
    assert (await squatter.log_in()).status_code == 401
    async with portal.database.read() as db:
        assert await keys.caller(db, apikey.digest(secret), now=portal.clock.now) is None


async def test_squatters_linked_login_ends(portal: Portal, provider: OidcDouble) -> None:
    """Whoever moved an account to another's address cannot come back through a linked login."""
    provider.person = Person(subject="squatter", email="squatter@example.com")
    squatter = portal.somebody()
    await _log_in(squatter)
    where = "/dashboard/settings"
    await squatter.send(f"{where}/profile", where, name="squatter", email=EMAIL)
    provider.person = Person(subject="owner", email=EMAIL)
    owner = portal.somebody()
    await _log_in(owner)
    assert not await squatter.is_in()
    provider.person = Person(subject="squatter", email="squatter@example.com")
    await _log_in(squatter)
    assert "squatter@example.com" in (await squatter.get("/dashboard/settings")).text


async def test_reset_that_proves_the_address_unlinks(portal: Portal, provider: OidcDouble) -> None:
    """A first reset by mail of an unverified address ends logins that others have linked to it."""
    provider.person = Person(subject="squatter", email="squatter@example.com")
    squatter = await portal.newcomer()
    await _log_in(squatter, f"{WITH}?link=1")
    owner = portal.somebody()
    await owner.send("/forgot", email=EMAIL)
    page = await portal.link("Set a new password")
    token = page.partition("token=")[2]
    await owner.send("/reset", page, token=token, password="another few plain words")
    assert await owner.is_in()
    async with portal.database.read() as db:
        assert await identity.linked(db, (await portal.account()).id) == []


async def test_operators_account_keeps_its_keys(portal: Portal) -> None:
    """An account created by the operator for the address keeps its keys."""
    async with portal.database.write() as db:
        now = portal.clock.now
        ann = await accounts.create(db, "ann", plans.load()["pro"], now=now, email=EMAIL)
        key, _ = await keys.issue(db, ann.id, name="k", signing=b"s", now=now)
    somebody = portal.somebody()
    await _log_in(somebody)
    assert "300 of 300" in (await somebody.get("/dashboard")).text
    async with portal.database.read() as db:
        assert await keys.caller(db, key.sha256, now=now) is not None


async def test_address_that_nobody_vouches_for(portal: Portal, provider: OidcDouble) -> None:
    """An unverified address neither opens nor creates an account."""
    await portal.newcomer()
    provider.person = Person(subject="7", verified=False)
    somebody = portal.somebody()
    assert (await _log_in(somebody)).status_code == 403
    assert not await somebody.is_in()


async def test_other_sites_start_no_linking(portal: Portal) -> None:
    """A page elsewhere cannot link the login that the browser has at the provider."""
    somebody = await portal.newcomer()
    start = f"{WITH}?link=1"
    cross = await somebody.get(start, headers={"sec-fetch-site": "cross-site"})
    assert cross.status_code == 403
    own = await somebody.get(start, headers={"sec-fetch-site": "same-origin"})
    assert own.status_code == 303


async def test_link_and_unlink(portal: Portal, provider: OidcDouble) -> None:
    """A linked provider logs in to the account; the last way to log in cannot be unlinked."""
    provider.person = Person(subject="7", email="other@example.com")
    somebody = await portal.newcomer()
    reply = await _log_in(somebody, f"{WITH}?link=1")
    assert reply.headers["location"] == "/dashboard/settings?done=linked"
    other = portal.somebody()
    await _log_in(other)
    assert EMAIL in (await other.get("/dashboard/settings")).text
    page = "/dashboard/settings"
    assert (await somebody.send(f"{page}/unlink", page=page, provider="oidc")).status_code == 303
    third = portal.somebody()
    await _log_in(third)
    assert "other@example.com" in (await third.get(page)).text
    assert (await third.send(f"{page}/unlink", page=page, provider="oidc")).status_code == 400


async def test_provider_that_is_away(portal: Portal, provider: OidcDouble) -> None:
    """An error of the provider is shown as an error page."""
    somebody = portal.somebody()
    address = await _return(somebody)
    broken = urlsplit(address)._replace(query=f"code=wrong&state={_state(address)}").geturl()
    assert (await somebody.get(broken)).status_code == 502


def _state(address: str) -> str:
    return parse_qs(urlsplit(address).query)["state"][0]


async def test_providers_that_are_not_set_up(portal: Portal) -> None:
    """Their paths are a 404."""
    assert (await portal.somebody().get("/login/with/github")).status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"github_client": "only-an-id"},
        {"google_client": ":secret"},
        {"oidc_issuer": "https://login.example.com"},
    ],
)
def test_half_a_setting_is_told_at_the_start(wrong: dict[str, str]) -> None:
    """A client id without a secret is refused at the start."""
    with pytest.raises(SettingsError, match="CLIENT_ID:SECRET"):
        providers.offered(Settings(**wrong))  # type: ignore[arg-type]


def test_providers_by_name() -> None:
    """GitHub, Google and a custom one; the secret is everything after the first colon."""
    settings = Settings(
        github_client="a:b",
        google_client="c:d",
        oidc_issuer="https://login.example.com/",
        oidc_client="e:f:g",
        oidc_name="Example",
    )
    offered = {p.id: (p.label, p.client_id, p.secret) for p in providers.offered(settings)}
    assert offered == {
        "github": ("GitHub", "a", "b"),
        "google": ("Google", "c", "d"),
        "oidc": ("Example", "e", "f:g"),
    }


@pytest.mark.parametrize(
    ("emails", "vouched"),
    [
        (
            [
                {"email": "a@x", "verified": True},
                {"email": "b@x", "verified": True, "primary": True},
            ],
            "b@x",
        ),
        (
            [
                {"email": "a@x", "verified": True},
                {"email": "b@x", "verified": False, "primary": True},
            ],
            "a@x",
        ),
        ([{"email": "a@x", "verified": False, "primary": True}], ""),
        ([], ""),
    ],
)
def test_address_at_github(emails: list[dict[str, object]], vouched: str) -> None:
    """The primary address if it is verified, otherwise another verified one."""
    assert oauth.github_email(emails) == vouched


@pytest.mark.parametrize(
    ("claims", "vouched"),
    [
        ({"sub": 7, "email": "a@x", "email_verified": True}, "a@x"),
        ({"sub": 7, "email": "a@x", "email_verified": "true"}, "a@x"),
        ({"sub": 7, "email": "a@x", "email_verified": "false"}, ""),
        ({"sub": 7, "email": "a@x"}, ""),
        ({"sub": 7, "email_verified": True}, ""),
    ],
)
def test_address_of_claims(claims: dict[str, object], vouched: str) -> None:
    """Only a verified address counts; the subject is always text."""
    assert oauth.person(claims) == Vouched("7", vouched)
