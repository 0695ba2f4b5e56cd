"""What pages behind a login stand on, beside the site's parts."""

import hmac
from dataclasses import dataclass, replace

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from oxlo import billing
from oxlo.asgi.attached import Attached
from oxlo.billing.base import Provider as Billing
from oxlo.plans.edited import Watched
from oxlo.portal.entry import providers
from oxlo.portal.entry.providers import Provider
from oxlo.portal.live import Live
from oxlo.portal.passwords import Passwords
from oxlo.portal.site import Site
from oxlo.settings import Settings
from oxlo.store.accounts import Account
from oxlo.store.sessions import Session


@dataclass(frozen=True, slots=True)
class Cookies:
    """The cookies: under https browsers take them from this very host only."""

    secure: bool

    @property
    def session(self) -> str:
        """Who is signed in."""
        return f"{self._prefix}oxlo_session"

    @property
    def visitor(self) -> str:
        """What forms of somebody who is not signed in are bound to."""
        return f"{self._prefix}oxlo_visitor"

    @property
    def handshake(self) -> str:
        """A log-in at a provider that is under way."""
        return f"{self._prefix}oxlo_handshake"

    @property
    def _prefix(self) -> str:
        return "__Host-" if self.secure else ""

    def set(self, reply: Response, name: str, value: str, age: int | None = None) -> None:
        """Give a cookie to the browser, for `age` seconds; None: until it is closed."""
        reply.set_cookie(name, value, age, secure=self.secure, httponly=True, samesite="lax")

    def delete(self, reply: Response, name: str) -> None:
        """Take a cookie from the browser."""
        reply.delete_cookie(name, secure=self.secure, httponly=True, samesite="lax")


@dataclass(frozen=True, slots=True)
class Desk(Attached):
    """The parts of the portal, one for each application."""

    site: Site
    live: Live
    cookies: Cookies
    passwords: Passwords
    #: The installation's secret.
    signing: bytes
    plans_file: Watched
    #: Where people can log in with an account that they have.
    providers: tuple[Provider, ...]
    #: How accounts come to their plans.
    billing: Billing

    @property
    def settings(self) -> Settings:
        """The installation's settings."""
        return self.site.settings

    @property
    def now(self) -> float:
        """Now, in unix seconds."""
        return self.site.clock()

    def csrf(self, cookie: str) -> str:
        """The token of forms for whoever holds this cookie."""
        return hmac.digest(self.signing, b"oxlo csrf\0" + cookie.encode(), "sha256").hex()

    @property
    def checks_addresses(self) -> bool:
        """Whether people can be asked to prove their address: only where mails are sent."""
        return bool(self.settings.smtp_url)


def build(site: Site, live: Live, passwords: Passwords | None = None) -> Desk:
    """Put the parts together. Raises SettingsError."""
    settings = site.settings
    return Desk(
        site=site,
        live=live,
        cookies=Cookies(settings.secure),
        passwords=passwords or Passwords(),
        signing=settings.signing_secret(),
        plans_file=Watched(settings.plans or settings.edited_plans),
        providers=tuple(providers.offered(settings)),
        billing=billing.build(settings, site.database),
    )


def follow_plans(app: Starlette) -> None:
    """Take over plans that were edited, here or by hand, before the next page is made."""
    desk = Desk.carried(app)
    plans = desk.plans_file.changed()
    if plans is not None:
        site = replace(desk.site, plans=plans)
        site.attach(app)
        replace(desk, site=site).attach(app)


@dataclass(frozen=True, slots=True)
class Visit:
    """A request of somebody who is signed in."""

    session: Session
    account: Account


def address(request: Request) -> str:
    """The client's address, as the gateway says it: clients cannot set this header."""
    return request.headers.get("x-forwarded-for", "")[:64]
