"""Sign-up and login, and what they refuse."""

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
    """A new account is signed in, on the cheapest plan, with a seven-day trial."""
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
    """The form is shown again with problems beside their fields, without the password."""
    reply = await portal.somebody().sign_up(**fields)
    assert reply.status_code == 400
    assert words in reply.text
    assert fields.get("password", PASSWORD) not in reply.text
    async with portal.database.read() as db:
        assert await identity.by_email(db, EMAIL) is None


async def test_form_comes_back_at_what_is_wrong(portal: Portal) -> None:
    """The invalid field has the focus; fields limit their input."""
    somebody = portal.somebody()
    page = Markup.of((await somebody.sign_up(EMAIL, password="short")).text)
    fields = {given.get("name"): given for name, given in page.elements if name == "input"}
    assert [name for name, given in fields.items() if "autofocus" in given] == ["password"]
    assert fields["password"]["minlength"] == "10"


async def test_duplicate_address_is_refused(portal: Portal) -> None:
    """Regardless of case; the page links to the login."""
    await portal.newcomer()
    reply = await portal.somebody().sign_up(EMAIL.upper())
    assert reply.status_code == 400
    assert "There is already an account with this address" in reply.text


async def test_same_name_at_two_providers(portal: Portal) -> None:
    """Two addresses with the local part "ann" both get an account."""
    await portal.newcomer("ann@one.example")
    await portal.newcomer("ann@two.example")


async def test_promo_code_at_sign_up(portal: Portal) -> None:
    """A code extends the trial, in the same transaction as the account."""
    async with portal.database.write() as db:
        await promos.create(db, Promo(code="HACK", trial_days=14, created_at=portal.clock.now))
    await portal.somebody().sign_up(promo="hack")
    async with portal.database.read() as db:
        account = await identity.by_email(db, EMAIL)
        assert account is not None
        assert account.trial_until == portal.clock.now + 21 * DAY


async def test_mass_sign_up_is_braked(portal: Portal) -> None:
    """The sixth sign-up from one network has to wait, from any address of an IPv6 /64."""
    for number in range(5):
        await portal.newcomer(f"user{number}@example.com", f"2001:db8::{number}")
    reply = await portal.somebody("2001:db8::99").sign_up("user9@example.com")
    assert reply.status_code == 429
    assert "Too many sign-ups from your network" in reply.text
    assert int(reply.headers["retry-after"]) == 600
    await portal.newcomer("other@example.com", "2001:db8:1::1")


async def test_probing_for_accounts_is_braked(portal: Portal) -> None:
    """Ten attempts that reveal an account or an invalid code, then a wait."""
    await portal.newcomer()
    somebody = portal.somebody("203.0.113.5")
    for number in range(10):
        more = {"promo": f"GUESS{number}", "email": "x@example.com"} if number % 2 else {}
        assert (await somebody.sign_up(**({"email": EMAIL} | more))).status_code == 400
    assert (await somebody.sign_up(EMAIL)).status_code == 429
    await portal.newcomer("bob@example.com", "203.0.113.6")


async def test_forms_that_are_none(portal: Portal) -> None:
    """Large bodies and files are refused before they are parsed."""
    somebody = portal.somebody()
    large = await somebody.client.post("/login", data={"email": "x" * 300_000})
    assert large.status_code == 413
    file = await somebody.client.post("/login", files={"csrf": ("a.txt", b"x")})
    assert file.status_code == 400
    body = b'--x\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n\\ud800\r\n--x--\r\n'
    kind = "multipart/form-data; boundary=x; charset=unicode_escape"
    odd = await somebody.client.post("/login", content=body, headers={"content-type": kind})
    assert odd.status_code == 400


async def test_closed_sign_up(portal: Portal, settings: Settings) -> None:
    """If sign-up is closed, there is no form, and posting one is refused."""
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
    """Programs with the session cookie get the account; others an error."""
    somebody = portal.somebody()
    assert (await somebody.get("/auth/me/profile-status")).status_code == 401
    await somebody.sign_up()
    told = (await somebody.get("/auth/me/profile-status")).json()
    assert (told["email"], told["name"], told["plan_id"]) == (EMAIL, "ann", "free")
    assert (told["is_superuser"], told["profile_completed"]) == (False, True)


async def test_unknown_address_looks_like_wrong_password(portal: Portal) -> None:
    """Status and text are the same, so accounts cannot be enumerated."""
    await portal.newcomer()
    wrong = await portal.somebody().log_in(password="not it at all")
    unknown = await portal.somebody().log_in("who@example.com")
    assert wrong.status_code == unknown.status_code == 401
    same = unknown.text.replace("who@example.com", EMAIL)
    assert wrong.text.replace(csrf(wrong), "") == same.replace(csrf(unknown), "")


async def test_failures_lock_out_for_longer_and_longer(portal: Portal) -> None:
    """After five failures even the right password has to wait."""
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
    """Concurrent guesses are limited like sequential ones."""
    await portal.newcomer()
    somebody = portal.somebody()
    token = csrf(await somebody.get("/login"))
    guesses = ({"csrf": token, "email": EMAIL, "password": f"guess {n}"} for n in range(20))
    replies = await asyncio.gather(*(somebody.client.post("/login", data=g) for g in guesses))
    assert sorted(reply.status_code for reply in replies) == [401] * 5 + [429] * 15


async def test_failures_are_in_the_audit_log(portal: Portal) -> None:
    """The log has account and address of each failure, but no password."""
    await portal.newcomer()
    await portal.somebody("203.0.113.9").log_in(password="guess number one")
    async with portal.database.read() as db:
        entries = await audit.latest(db, action="login.failed", limit=5)
        kept = (await db.execute(text("select * from audit"))).all()
    assert [entry.address for entry in entries] == ["203.0.113.9"]
    assert "guess" not in str(kept)


async def test_session_is_new_at_log_in(portal: Portal) -> None:
    """A planted cookie does not become the session (fixation)."""
    await portal.newcomer()
    somebody, name = portal.somebody(), portal.services.cookies.session
    somebody.client.cookies.set(name, "planted")
    reply = await somebody.log_in()
    assert reply.cookies[name] != "planted"
    other = portal.somebody()
    other.client.cookies.set(name, "planted")
    assert not await other.is_in()


async def test_second_log_in_ends_the_first_session(portal: Portal) -> None:
    """The browser's previous token is invalid after a new login."""
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
    """Login never redirects to another site, whether signed in already or not."""
    somebody = await portal.newcomer()
    reply = await somebody.get("/login", params={"returnUrl": target})
    assert reply.headers["location"] == "/dashboard"
    other = portal.somebody()
    reply = await other.send("/login", email=EMAIL, password=PASSWORD, returnUrl=target)
    assert (reply.status_code, reply.headers["location"]) == (303, "/dashboard")


async def test_pages_lead_to_log_in_and_back(portal: Portal) -> None:
    """Query parameters survive the redirect to the login."""
    reply = await portal.somebody().get("/dashboard?a=b&c=d")
    assert reply.headers["location"] == "/login?returnUrl=%2Fdashboard%3Fa%3Db%26c%3Dd"


async def test_cookies_under_https(portal: Portal, settings: Settings) -> None:
    """Over HTTPS the session cookie is Secure, HttpOnly and bound to this host."""
    async with opened(settings) as secure:
        reply = await secure.somebody().sign_up()
    cookies = {line.split("=")[0]: line for line in reply.headers.get_list("set-cookie")}
    session = cookies["__Host-oxlo_session"].lower()
    assert all(part in session for part in ("secure", "httponly", "samesite=lax", "path=/"))
    assert "domain" not in session


async def test_cookie_is_not_what_is_stored(portal: Portal) -> None:
    """The stored hash does not work as a cookie."""
    somebody = await portal.newcomer()
    cookie = somebody.client.cookies[portal.services.cookies.session]
    async with portal.database.read() as db:
        rows = (await db.execute(text("select * from sessions"))).all()
    assert len(rows) == 1
    assert cookie not in str(rows)


async def test_sessions_run_out(portal: Portal) -> None:
    """A session ends after two weeks without a visit."""
    somebody = await portal.newcomer()
    portal.clock.now += 13 * DAY
    assert await somebody.is_in()
    portal.clock.now += 14 * DAY
    assert not await somebody.is_in()


async def test_no_mail_is_promised_where_none_is_sent(portal: Portal) -> None:
    """Without a mail server the page says that the operator has the link."""
    somebody = await portal.newcomer()
    reply = await somebody.send("/verify/send", page="/dashboard/settings")
    page = (await somebody.get(reply.headers["location"])).text
    assert "the operator passes it on" in page
    assert "on its way" not in page


async def test_links_are_not_sent_without_end(portal: Portal) -> None:
    """Who asks for one link after the other is told that no further one was sent."""
    somebody = await portal.newcomer()
    replies = [await somebody.send("/verify/send", page="/dashboard/settings") for _ in range(4)]
    pages = [(await somebody.get(reply.headers["location"])).text for reply in replies]
    assert ["A link was made" in page for page in pages[:2]] == [True, True]
    assert "No further link was sent" in pages[3]


async def test_reset_by_mail(portal: Portal) -> None:
    """A link sets a new password once, and ends all earlier sessions."""
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
    """An unknown address gets the same page and no mail."""
    await portal.newcomer()
    known = await portal.somebody().send("/forgot", email=EMAIL)
    unknown = await portal.somebody().send("/forgot", email="who@example.com")
    assert known.text.replace(EMAIL, "who@example.com") == unknown.text
    async with portal.database.read() as db:
        rows = await db.execute(text("select recipient from mails where subject like 'Set%'"))
        assert [row.recipient for row in rows] == [EMAIL]


async def test_expired_link(portal: Portal) -> None:
    """After an hour the link has expired, and the page offers a new one."""
    await portal.newcomer()
    await portal.somebody().send("/forgot", email=EMAIL)
    link = await portal.link("Set a new password")
    portal.clock.now += 3600
    reply = await portal.somebody().get(link)
    assert reply.status_code == 410
    assert 'href="/forgot"' in reply.text


async def test_verify_by_mail(portal: Portal) -> None:
    """Opening the link changes nothing, since mail programs prefetch it; the button does."""
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
    again = await somebody.get(link)
    assert again.headers["location"] == "/dashboard?done=verified"
    assert (await portal.somebody().get(link)).status_code == 410


async def test_operator_sets_the_first_password(portal: Portal) -> None:
    """The start-up link asks for an address and a password, and signs in."""
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
