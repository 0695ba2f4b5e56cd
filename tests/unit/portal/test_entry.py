"""Sign-up, log-in, and what is refused there."""

import asyncio

import pytest
from sqlalchemy import text
from tests.unit.portal.conftest import opened
from tests.unit.portal.markup import Markup
from tests.unit.portal.people import EMAIL, PASSWORD, Portal, csrf, field

from oxlo.settings import Settings
from oxlo.store import audit, identity, promos, tokens
from oxlo.store.promos import Promo

DAY = 86400


async def test_sign_up_begins_a_session_and_a_trial(portal: Portal) -> None:
    """From the form to the dashboard: on the cheapest plan, every model open for seven days."""
    somebody = portal.somebody()
    reply = await somebody.sign_up(returnUrl="/pricing?plan=pro")
    assert (reply.status_code, reply.headers["location"]) == (303, "/pricing?plan=pro")
    page = await somebody.get("/dashboard")
    assert "60 of 60 requests left today" in page.text
    assert ", with every model until <time" in page.text
    assert ", with every model until <time" in (await somebody.get("/dashboard/billing")).text
    async with portal.database.read() as db:
        account = await identity.by_email(db, EMAIL)
        assert account is not None
        assert (account.plan, account.name) == ("free", "ann")
        assert account.trial_until == portal.clock.now + 7 * DAY
        assert PASSWORD not in (account.password_hash or "")
        assert (account.password_hash or "").startswith("$argon2id$")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"email": "ann"}, "Write it like name@example.com"),
        ({"password": "tiny7"}, "at least 10 characters"),
        ({"password": "password123456"}, "among the first that attackers try"),
        ({"password": "P@ssw0rd2024!"}, "among the first that attackers try"),
        ({"password": "1234567890"}, "among the first that attackers try"),
        ({"password": "aaaaaaaaaaaa"}, "among the first that attackers try"),
        ({"email": "annabelle1@example.com", "password": "annabelle2026"}, "not use your e-mail"),
        ({"promo": "NOPE"}, "not known, or no longer valid"),
    ],
)
async def test_sign_up_says_what_is_wrong(
    portal: Portal, fields: dict[str, str], words: str
) -> None:
    """The page is shown again with the problem beside its field, and the password not in it."""
    reply = await portal.somebody().sign_up(**fields)
    assert reply.status_code == 400
    assert words in reply.text
    assert fields.get("password", PASSWORD) not in reply.text
    async with portal.database.read() as db:
        assert await identity.by_email(db, EMAIL) is None


async def test_form_comes_back_at_what_is_wrong(portal: Portal) -> None:
    """The caret stands in the field to correct; fields bound what is typed into them."""
    somebody = portal.somebody()
    page = Markup.of((await somebody.sign_up(EMAIL, password="short")).text)
    fields = {given.get("name"): given for name, given in page.elements if name == "input"}
    assert [name for name, given in fields.items() if "autofocus" in given] == ["password"]
    assert fields["password"]["minlength"] == "10"


async def test_duplicate_address_is_refused(portal: Portal) -> None:
    """In any case of letters; the way to log in is beside it."""
    await portal.newcomer()
    reply = await portal.somebody().sign_up(EMAIL.upper())
    assert reply.status_code == 400
    assert "There is already an account with this address" in reply.text


async def test_same_name_at_two_providers(portal: Portal) -> None:
    """Two people called ann both get an account."""
    await portal.newcomer("ann@one.example")
    await portal.newcomer("ann@two.example")


async def test_promo_code_at_sign_up(portal: Portal) -> None:
    """A code adds days to the trial, in the same transaction as the account."""
    async with portal.database.write() as db:
        await promos.create(db, Promo(code="HACK", trial_days=14, created_at=portal.clock.now))
    await portal.somebody().sign_up(promo="hack")
    async with portal.database.read() as db:
        account = await identity.by_email(db, EMAIL)
        assert account is not None
        assert account.trial_until == portal.clock.now + 21 * DAY


async def test_mass_sign_up_is_braked(portal: Portal) -> None:
    """The sixth account from one network waits, whatever its address within the /64."""
    for number in range(5):
        await portal.newcomer(f"user{number}@example.com", f"2001:db8::{number}")
    reply = await portal.somebody("2001:db8::99").sign_up("user9@example.com")
    assert reply.status_code == 429
    assert "Too many sign-ups from your network" in reply.text
    assert int(reply.headers["retry-after"]) == 600
    await portal.newcomer("other@example.com", "2001:db8:1::1")


async def test_probing_for_accounts_is_braked(portal: Portal) -> None:
    """Ten answers that somebody has an account, or that a code is none, and then a wait."""
    await portal.newcomer()
    somebody = portal.somebody("203.0.113.5")
    for number in range(10):
        more = {"promo": f"GUESS{number}", "email": "x@example.com"} if number % 2 else {}
        assert (await somebody.sign_up(**({"email": EMAIL} | more))).status_code == 400
    assert (await somebody.sign_up(EMAIL)).status_code == 429
    await portal.newcomer("bob@example.com", "203.0.113.6")


async def test_forms_that_are_none(portal: Portal) -> None:
    """Large bodies and files are refused before they are read for meaning."""
    somebody = portal.somebody()
    large = await somebody.client.post("/login", data={"email": "x" * 300_000})
    assert large.status_code == 413
    file = await somebody.client.post("/login", files={"csrf": ("a.txt", b"x")})
    assert file.status_code == 400


async def test_closed_sign_up(portal: Portal, settings: Settings) -> None:
    """Where the operator has closed it, there is no form and no way around it."""
    async with opened(Settings(home=settings.home, signup="closed")) as closed:
        somebody = closed.somebody()
        assert "Sign-up is closed" in (await somebody.get("/signup")).text
        reply = await somebody.send("/signup", page="/login", email=EMAIL, password=PASSWORD)
        assert reply.status_code == 403


async def test_log_in_and_out(portal: Portal) -> None:
    """The session begins with the password and ends with the button."""
    await portal.newcomer()
    somebody = portal.somebody()
    assert not await somebody.is_in()
    reply = await somebody.log_in()
    assert (reply.status_code, reply.headers["location"]) == (303, "/dashboard")
    assert await somebody.is_in()
    await somebody.send("/logout", page="/dashboard")
    assert not await somebody.is_in()


async def test_whose_session_it_is(portal: Portal) -> None:
    """Programs that share the cookie are told who is signed in, and others nothing."""
    somebody = portal.somebody()
    assert (await somebody.get("/auth/me/profile-status")).status_code == 401
    await somebody.sign_up()
    told = (await somebody.get("/auth/me/profile-status")).json()
    assert (told["email"], told["name"], told["plan_id"]) == (EMAIL, "ann", "free")
    assert (told["is_superuser"], told["profile_completed"]) == (False, True)


async def test_unknown_address_looks_like_wrong_password(portal: Portal) -> None:
    """Status and words are the same, so that nobody learns who has an account."""
    await portal.newcomer()
    wrong = await portal.somebody().log_in(password="not it at all")
    unknown = await portal.somebody().log_in("who@example.com")
    assert wrong.status_code == unknown.status_code == 401
    same = unknown.text.replace("who@example.com", EMAIL)
    assert wrong.text.replace(csrf(wrong), "") == same.replace(csrf(unknown), "")


async def test_failures_lock_out_for_longer_and_longer(portal: Portal) -> None:
    """After five failures even the right password waits; time heals it."""
    await portal.newcomer()
    somebody = portal.somebody()
    for _ in range(5):
        assert (await somebody.log_in(password="wrong password")).status_code == 401
    locked = await somebody.log_in()
    assert (locked.status_code, locked.headers["retry-after"]) == (429, "2")
    portal.clock.now += 2
    await somebody.log_in(password="wrong password")
    assert (await somebody.log_in()).headers["retry-after"] == "4"
    assert (await portal.somebody("198.51.100.7").log_in()).status_code == 303
    portal.clock.now += 4
    assert (await somebody.log_in()).status_code == 303


async def test_guesses_at_the_same_moment(portal: Portal) -> None:
    """Whoever sends a hundred at once has no more of them looked at than one after another."""
    await portal.newcomer()
    somebody = portal.somebody()
    token = csrf(await somebody.get("/login"))
    guesses = ({"csrf": token, "email": EMAIL, "password": f"guess {n}"} for n in range(20))
    replies = await asyncio.gather(*(somebody.client.post("/login", data=g) for g in guesses))
    assert sorted(reply.status_code for reply in replies) == [401] * 5 + [429] * 15


async def test_failures_are_in_the_audit_log(portal: Portal) -> None:
    """Who tried, from where; the password is nowhere."""
    await portal.newcomer()
    await portal.somebody("203.0.113.9").log_in(password="guess number one")
    async with portal.database.read() as db:
        entries = await audit.latest(db, action="login.failed", limit=5)
        kept = (await db.execute(text("select * from audit"))).all()
    assert [entry.address for entry in entries] == ["203.0.113.9"]
    assert "guess" not in str(kept)


async def test_session_is_new_at_log_in(portal: Portal) -> None:
    """A cookie that was planted before does not become the session (fixation)."""
    await portal.newcomer()
    somebody, name = portal.somebody(), portal.services.cookies.session
    somebody.client.cookies.set(name, "planted")
    reply = await somebody.log_in()
    assert reply.cookies[name] != "planted"
    other = portal.somebody()
    other.client.cookies.set(name, "planted")
    assert not await other.is_in()


async def test_second_log_in_ends_the_first_session(portal: Portal) -> None:
    """The token that a browser had before is worth nothing after it."""
    somebody = await portal.newcomer()
    old = somebody.client.cookies[portal.services.cookies.session]
    form = csrf(await somebody.get("/dashboard"))
    data = {"csrf": form, "email": EMAIL, "password": PASSWORD}
    await somebody.client.post("/login", data=data)
    thief = portal.somebody()
    thief.client.cookies.set(portal.services.cookies.session, old)
    assert not await thief.is_in()
    assert await somebody.is_in()


@pytest.mark.parametrize(
    "target",
    ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "\t//e"],
)
async def test_return_url_stays_here(portal: Portal, target: str) -> None:
    """Nobody is led elsewhere after the log-in, signed in already or not."""
    somebody = await portal.newcomer()
    reply = await somebody.get("/login", params={"returnUrl": target})
    assert reply.headers["location"] == "/dashboard"
    other = portal.somebody()
    reply = await other.send("/login", email=EMAIL, password=PASSWORD, returnUrl=target)
    assert (reply.status_code, reply.headers["location"]) == (303, "/dashboard")


async def test_pages_lead_to_log_in_and_back(portal: Portal) -> None:
    """Filters in the address survive the detour."""
    reply = await portal.somebody().get("/dashboard?a=b&c=d")
    assert reply.headers["location"] == "/login?returnUrl=%2Fdashboard%3Fa%3Db%26c%3Dd"


async def test_cookies_under_https(portal: Portal, settings: Settings) -> None:
    """Bound to this host, closed to scripts, never over plain http."""
    async with opened(settings) as secure:
        reply = await secure.somebody().sign_up()
    cookies = {line.split("=")[0]: line for line in reply.headers.get_list("set-cookie")}
    session = cookies["__Host-oxlo_session"].lower()
    assert all(part in session for part in ("secure", "httponly", "samesite=lax", "path=/"))
    assert "domain" not in session


async def test_cookie_is_not_what_is_stored(portal: Portal) -> None:
    """A copy of the database logs nobody in."""
    somebody = await portal.newcomer()
    cookie = somebody.client.cookies[portal.services.cookies.session]
    async with portal.database.read() as db:
        rows = (await db.execute(text("select * from sessions"))).all()
    assert len(rows) == 1
    assert cookie not in str(rows)


async def test_sessions_run_out(portal: Portal) -> None:
    """Two weeks without a visit end a session."""
    somebody = await portal.newcomer()
    portal.clock.now += 13 * DAY
    assert await somebody.is_in()
    portal.clock.now += 14 * DAY
    assert not await somebody.is_in()


async def test_no_mail_is_promised_where_none_is_sent(portal: Portal) -> None:
    """The link is made, and it is said who has it."""
    somebody = await portal.newcomer()
    reply = await somebody.send("/verify/send", page="/dashboard/settings")
    page = (await somebody.get(reply.headers["location"])).text
    assert "the operator passes it on" in page
    assert "on its way" not in page


async def test_reset_by_mail(portal: Portal) -> None:
    """A new password by a link that works once; every session before it ends."""
    old = await portal.newcomer()
    somebody = portal.somebody()
    assert "a link was made" in (await somebody.send("/forgot", email=EMAIL)).text
    link = await portal.link("Set a new password")
    token = link.partition("token=")[2]
    page = await somebody.get(link)
    assert page.headers["referrer-policy"] == "no-referrer"
    reply = await somebody.send("/reset", page=link, token=token, password="five other plain words")
    assert (reply.status_code, reply.headers["location"]) == (303, "/dashboard")
    assert await somebody.is_in()
    assert not await old.is_in()
    again = await portal.somebody().send(
        "/reset", page="/login", token=token, password="five other plain words"
    )
    assert again.status_code == 410
    assert (await portal.somebody("198.51.100.1").log_in()).status_code == 401


async def test_reset_for_nobody_says_the_same(portal: Portal) -> None:
    """An address without an account gets the same page and no mail."""
    await portal.newcomer()
    known = await portal.somebody().send("/forgot", email=EMAIL)
    unknown = await portal.somebody().send("/forgot", email="who@example.com")
    assert known.text.replace(EMAIL, "who@example.com") == unknown.text
    async with portal.database.read() as db:
        rows = await db.execute(text("select recipient from mails where subject like 'Set%'"))
        assert [row.recipient for row in rows] == [EMAIL]


async def test_expired_link(portal: Portal) -> None:
    """After an hour the link is over, and the page leads to a new one."""
    await portal.newcomer()
    await portal.somebody().send("/forgot", email=EMAIL)
    link = await portal.link("Set a new password")
    portal.clock.now += 3600
    reply = await portal.somebody().get(link)
    assert reply.status_code == 410
    assert 'href="/forgot"' in reply.text


async def test_verify_by_mail(portal: Portal) -> None:
    """Opening the link changes nothing, since mail programs do that too; the button does."""
    somebody = await portal.newcomer()
    link = await portal.link("Confirm")
    await somebody.get(link)
    async with portal.database.read() as db:
        account = await identity.by_email(db, EMAIL)
    assert account is not None
    assert account.verified_at is None
    token = link.partition("token=")[2]
    reply = await somebody.send("/verify", page=link, token=token)
    assert reply.headers["location"] == "/dashboard?done=verified"
    async with portal.database.read() as db:
        account = await identity.by_email(db, EMAIL)
    assert account is not None
    assert account.verified_at == portal.clock.now
    assert (await somebody.get(link)).status_code == 410


async def test_operator_sets_the_first_password(portal: Portal) -> None:
    """The one-time link of the start asks for an address and a password, and signs in."""
    async with portal.database.write() as db:
        from oxlo import plans
        from oxlo.store import accounts

        plan = plans.load()["premium"]
        account, _ = await accounts.ensure_operator(db, plan, signing=b"s", now=portal.clock.now)
        link = await tokens.welcome(db, account.id, "", now=portal.clock.now)
    somebody, token = portal.somebody(), link.partition("token=")[2]
    page = await somebody.get(link)
    assert "operator" in page.text
    assert field(page, "token") == token
    weak = await somebody.send("/welcome", page=link, token=token, email=EMAIL, password="weak")
    assert weak.status_code == 400
    reply = await somebody.send("/welcome", page=link, token=token, email=EMAIL, password=PASSWORD)
    assert reply.status_code == 303
    assert "2\u202f000 of 2\u202f000 requests left today" in (await somebody.get("/dashboard")).text
    assert (await portal.somebody().get(link)).status_code == 410
