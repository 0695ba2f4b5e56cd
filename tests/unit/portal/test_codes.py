"""One-time codes with QR code, and recovery codes."""

import asyncio
import re

import httpx2
import pyotp
import pytest
from tests.unit.portal.people import EMAIL, PASSWORD, Portal, Somebody, csrf, field

from oxlo.portal import recovery, totp
from oxlo.store import identity, mails

PAGE = "/dashboard/settings"


async def _secret(portal: Portal) -> str:
    async with portal.database.read() as db:
        account = await identity.by_email(db, EMAIL)
    assert account is not None
    return totp.secret(portal.services.signing, account.totp_nonce or "")


def _shown(reply: httpx2.Response) -> list[str]:
    return re.findall(r"<li><code>(\w{5}-\w{5})</code>", reply.text)


async def _set_up(portal: Portal) -> tuple[Somebody, list[str]]:
    """A user with one-time codes, and the recovery codes that were shown."""
    somebody = await portal.newcomer()
    await somebody.send(f"{PAGE}/totp", page=PAGE)
    code = str(pyotp.TOTP(await _secret(portal)).at(int(portal.clock.now)))
    return somebody, _shown(await somebody.send(f"{PAGE}/totp/confirm", page=PAGE, code=code))


async def _log_in(portal: Portal, code: str) -> tuple[Somebody, httpx2.Response]:
    other = portal.somebody()
    asked = await other.log_in()
    fields = {"csrf": csrf(asked), "proof": field(asked, "proof"), "code": code}
    return other, await other.client.post("/login/code", data=fields)


@pytest.mark.parametrize(
    ("steps", "valid"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)]
)
def test_steps_of_a_code(steps: int, valid: bool) -> None:
    """A code is valid for its own half minute, and for the ones before and after it."""
    secret, now = totp.secret(b"signing", "nonce"), 1_800_000_000.0
    code = pyotp.TOTP(secret).at(int(now) + 30 * steps)
    expected = int(now // 30) + steps if valid else None
    assert totp.step_of(secret, f"{code[:3]} {code[3:]}", now) == expected


async def test_secret_is_a_picture_too(portal: Portal) -> None:
    """The page shows a QR code, without style attributes."""
    somebody = await portal.newcomer()
    await somebody.send(f"{PAGE}/totp", page=PAGE)
    page = (await somebody.get(PAGE)).text
    picture = re.search(r'<svg [^>]*class="qr".*?</svg>', page)
    assert picture
    assert "style" not in picture[0]


def test_link_names_the_account_as_it_is() -> None:
    """The URI contains the e-mail address, including a plus sign."""
    read = pyotp.parse_uri(totp.uri("A" * 32, "ann+x@example.com"))
    assert (read.name, read.issuer) == ("ann+x@example.com", "Oxlo")


async def test_ten_codes_are_shown_once(portal: Portal) -> None:
    """Recovery codes are shown on the page that enables one-time codes, and never again."""
    somebody, codes = await _set_up(portal)
    assert len(set(codes)) == recovery.COUNT
    page = await somebody.get(PAGE)
    assert _shown(page) == []
    assert "10 of 10 recovery codes left" in page.text


async def test_code_logs_in_once(portal: Portal) -> None:
    """A recovery code logs in once, however it is typed; its owner is notified."""
    _, codes = await _set_up(portal)
    other, reply = await _log_in(portal, codes[0].lower().replace("-", " "))
    assert await other.is_in()
    overview = await other.get(reply.headers["location"])
    assert "You used a recovery code, and have 9 more." in overview.text
    assert "9 of 10 recovery codes left" in (await other.get(PAGE)).text
    _, again = await _log_in(portal, codes[0])
    assert again.status_code == 401
    async with portal.database.read() as db:
        assert "A recovery code was used" in [mail.subject for mail in await mails.latest(db)]


async def test_database_knows_no_code(portal: Portal) -> None:
    """The database holds only digests keyed with the installation's secret."""
    _, codes = await _set_up(portal)
    files = portal.services.settings.home.glob("oxlo.db*")
    kept = b"".join(file.read_bytes() for file in files)
    plain = codes[0].replace("-", "").encode()
    assert codes[0].encode() not in kept
    assert plain not in kept
    assert recovery.digest(b"a", "acct_1", codes[0]) != recovery.digest(b"b", "acct_1", codes[0])


async def test_new_codes_take_the_password(portal: Portal) -> None:
    """New codes require the password, and replace the old ones."""
    somebody, codes = await _set_up(portal)
    wrong = await somebody.send(f"{PAGE}/totp/recovery", page=PAGE, password="not my password")
    assert wrong.status_code == 400
    assert not _shown(wrong)
    new = _shown(await somebody.send(f"{PAGE}/totp/recovery", page=PAGE, password=PASSWORD))
    assert len(new) == recovery.COUNT
    assert (await _log_in(portal, codes[1]))[1].status_code == 401
    assert await (await _log_in(portal, new[1]))[0].is_in()


async def test_code_turns_codes_off(portal: Portal) -> None:
    """A recovery code can disable one-time codes."""
    somebody, codes = await _set_up(portal)
    off = await somebody.send(f"{PAGE}/totp/end", page=PAGE, code=codes[2])
    assert off.status_code == 303
    other = portal.somebody()
    await other.log_in()
    assert await other.is_in()


async def test_guessed_codes_at_the_same_moment(portal: Portal) -> None:
    """Only five codes are checked, however many are sent concurrently."""
    await _set_up(portal)
    other = portal.somebody("198.51.100.7")
    asked = await other.log_in()
    given = {"csrf": csrf(asked), "proof": field(asked, "proof")}
    now, right = int(portal.clock.now), pyotp.TOTP(await _secret(portal))
    near = {right.at(now + 30 * step) for step in range(-5, 6)}
    wrong = [code for code in map("{:06}".format, range(31)) if code not in near][:20]
    guesses = (given | {"code": code} for code in wrong)
    replies = await asyncio.gather(*(other.client.post("/login/code", data=g) for g in guesses))
    assert sorted(reply.status_code for reply in replies) == [401] * 5 + [429] * 15


async def test_cancelled_set_up(portal: Portal) -> None:
    """A set-up that was not finished is cancelled without a code; nothing was turned on."""
    somebody = await portal.newcomer()
    await somebody.send(f"{PAGE}/totp", page=PAGE)
    await somebody.send(f"{PAGE}/totp/end", page=PAGE)
    page = (await somebody.get(PAGE)).text
    assert "Set up codes" in page
    assert 'class="qr"' not in page


async def test_wrong_recovery_code(portal: Portal) -> None:
    """The error is about recovery codes, and their field is open for another one."""
    _, (code, *_) = await _set_up(portal)
    await _log_in(portal, code)
    for wrong in ("AAAAA-AAAAA", code):
        _, refused = await _log_in(portal, wrong)
        assert refused.status_code == 401
        assert "This recovery code is wrong or was used already." in refused.text
        assert '<details class="after" open>' in refused.text
