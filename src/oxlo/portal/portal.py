"""Everything that pages behind a login share, in addition to the site."""

import hmac
from dataclasses import dataclass, replace

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from oxlo import billing
from oxlo.asgi.attached import Attached
from oxlo.billing.base import Provider as Billing
from oxlo.plans.edited import Watched
from oxlo.portal.auth import providers
from oxlo.portal.auth.providers import Provider
from oxlo.portal.live import Live
from oxlo.portal.passwords import Passwords
from oxlo.portal.site import Site
from oxlo.settings import Settings
from oxlo.store.accounts import Account
from oxlo.store.sessions import Session


@dataclass(frozen=True, slots=True)
class Cookies:
    """The cookies' names; over HTTPS the `__Host-` prefix binds them to this host."""

    secure: bool

    @property
    def session(self) -> str:
        """The login session."""
        return f"{self._prefix}oxlo_session"

    @property
    def visitor(self) -> str:
        """Binds the CSRF tokens of visitors who are not signed in."""
        return f"{self._prefix}oxlo_visitor"

    @property
    def handshake(self) -> str:
        """State of a login at a provider."""
        return f"{self._prefix}oxlo_handshake"

    @property
    def _prefix(self) -> str:
        return "__Host-" if self.secure else ""

    def set(self, reply: Response, name: str, value: str, age: int | None = None) -> None:
        """Set a cookie for `age` seconds; None: until the browser is closed."""
        reply.set_cookie(name, value, age, secure=self.secure, httponly=True, samesite="lax")

    def delete(self, reply: Response, name: str) -> None:
        """Delete a cookie."""
        reply.delete_cookie(name, secure=self.secure, httponly=True, samesite="lax")


@dataclass(frozen=True, slots=True)
class Portal(Attached):
    """Services shared by the portal's pages, one instance per application."""

    site: Site
    live: Live
    cookies: Cookies
    passwords: Passwords
    #: Secret of the installation, for HMACs.
    signing: bytes
    plans_file: Watched
    #: Login providers.
    providers: tuple[Provider, ...]
    #: Moves accounts to plans.
    billing: Billing

    @property
    def settings(self) -> Settings:
        """Settings of the installation."""
        return self.site.settings

    @property
    def now(self) -> float:
        """Current time in unix seconds."""
        return self.site.clock()

    def csrf(self, cookie: str) -> str:
        """CSRF token bound to a cookie's value."""
        return hmac.digest(self.signing, b"oxlo csrf\0" + cookie.encode(), "sha256").hex()

    @property
    def verifies_addresses(self) -> bool:
        """Whether e-mail addresses have to be verified: only if mail can be sent."""
        return bool(self.settings.smtp_url)

    def awaits_proof(self, account: Account) -> bool:
        """Whether the account has to verify its address before it gets keys."""
        return self.verifies_addresses and account.verified_at is None


def build(site: Site, live: Live, passwords: Passwords | None = None) -> Portal:
    """Build the services. Raises SettingsError."""
    settings = site.settings
    return Portal(
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
    """Reload plans edited in the console or by hand, before the next page is rendered."""
    portal = Portal.carried(app)
    plans = portal.plans_file.changed()
    if plans is not None:
        site = replace(portal.site, plans=plans)
        site.attach(app)
        replace(portal, site=site).attach(app)


@dataclass(frozen=True, slots=True)
class Visit:
    """A request's session and account."""

    session: Session
    account: Account


def address(request: Request) -> str:
    """The client's IP address, from a header that the gateway sets and clients cannot."""
    return request.headers.get("x-forwarded-for", "")[:64]
