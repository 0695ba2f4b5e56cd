"""A simulated browser user: keeps cookies, fills in forms, follows links."""

import re
from dataclasses import replace
from html import unescape

import httpx2
import msgspec
from argon2 import PasswordHasher
from starlette.applications import Starlette

from oxlo.control import call_records, context, public
from oxlo.control.context import Control
from oxlo.portal.passwords import Passwords
from oxlo.portal.portal import Portal as Services
from oxlo.settings import Settings
from oxlo.store import calls, identity, mails
from oxlo.store.accounts import Account
from oxlo.store.database import Database
from oxlo.testing import journal
from oxlo.testing.clock import FakeClock

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8", "user-agent": "Test/1"}
DAY = 86400
PASSWORD = "four plain words here"
EMAIL = "ann@example.com"
#: Passwords are hashed as weakly as argon2 allows: tests do it often.
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class Portal:
    """One installation's pages."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.clock = FakeClock(1_800_000_000.0)
        self.control: Control = context.build(
            settings, database, clock=self.clock, steady=self.clock
        )
        self.app: Starlette = public.app(self.control)
        replace(self.services, passwords=Passwords(QUICK)).attach(self.app)

    @property
    def services(self) -> Services:
        """The portal's services."""
        return Services.carried(self.app)

    @property
    def database(self) -> Database:
        """The installation's database."""
        return self.control.database

    def somebody(self, address: str = "192.0.2.1") -> "Somebody":
        """A new browser with this IP address."""
        return Somebody(self, address)

    async def newcomer(self, email: str = EMAIL, address: str = "192.0.2.1") -> "Somebody":
        """A browser whose user has signed up."""
        somebody = self.somebody(address)
        reply = await somebody.sign_up(email)
        assert reply.status_code == 303, reply.text
        return somebody

    async def account(self, email: str = EMAIL) -> Account:
        """The account with this e-mail address."""
        async with self.database.read() as db:
            found = await identity.by_email(db, email)
        assert found is not None
        return found

    async def called(self, **changes: object) -> None:
        """Record an answered request of EMAIL's account a minute ago, `req_1`, with changes."""
        account, now = await self.account(), self.clock.now
        (call,) = call_records.calls([journal.settled("req_1", at=now - 60, account=account.id)])
        usual: dict[str, object] = {"day": int(now // DAY), "admitted_at": now - 62}
        call = msgspec.structs.replace(call, **usual | changes)
        async with self.database.write() as db:
            await calls.save(db, [call])

    async def link(self, words: str) -> str:
        """The path of the link in the newest mail whose subject contains these words."""
        async with self.database.read() as db:
            found = [mail for mail in await mails.latest(db) if words in mail.subject]
        match = re.search(r"https?://[^/\s]+(/\S+)", found[0].body)
        assert match
        return match[1]


class Somebody:
    """One browser."""

    def __init__(self, portal: Portal, address: str) -> None:
        self.portal = portal
        base = portal.services.settings.base_url
        self.client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=portal.app, raise_app_exceptions=False),
            base_url=base,
            headers=BROWSER | {"x-forwarded-for": address},
        )

    async def get(self, path: str, **more: object) -> httpx2.Response:
        """Get a page."""
        return await self.client.get(path, **more)  # type: ignore[arg-type]

    async def send(self, path: str, page: str = "", **fields: str) -> httpx2.Response:
        """Submit a form with the CSRF token of `page`, which shows it."""
        token = csrf(await self.get(page or path))
        return await self.client.post(path, data={"csrf": token, **fields})

    async def sign_up(self, email: str = EMAIL, **more: str) -> httpx2.Response:
        """Submit the sign-up form."""
        return await self.send("/signup", **{"email": email, "password": PASSWORD, **more})

    async def log_in(self, email: str = EMAIL, password: str = PASSWORD) -> httpx2.Response:
        """Submit the login form."""
        return await self.send("/login", email=email, password=password)

    async def is_in(self) -> bool:
        """Whether the dashboard opens."""
        return (await self.get("/dashboard")).status_code == 200


def csrf(reply: httpx2.Response) -> str:
    """The CSRF token of a page's forms."""
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', reply.text)
    return found[1] if found else ""


def field(reply: httpx2.Response, name: str) -> str:
    """The value of a page's hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', reply.text)
    assert found, name
    return unescape(found[1])
