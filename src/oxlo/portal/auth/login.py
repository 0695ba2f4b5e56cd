"""Login and logout."""

import hmac

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from oxlo.portal import auditing, guard, letters, recovery, sessions, totp
from oxlo.portal.auth.limits import LoginAttempt, RateLimited
from oxlo.portal.forms import text
from oxlo.portal.guard import local_path
from oxlo.portal.portal import Portal, address
from oxlo.store import identity
from oxlo.store import recovery as kept
from oxlo.store.accounts import Account
from oxlo.store.errors import AccountNotFound, InvalidAccount

#: The same message for any failure, so that it does not reveal which addresses have an account.
WRONG = "E-mail address or password is wrong."
_RECOVERY_WRONG = "This recovery code is wrong or was used already. Use another."
_CODE_WRONG = "This code is wrong or was used already. Wait for the next one, or use another."
_TOO_LATE = "That took too long. Log in again."
#: Seconds within which the second factor has to follow the first.
_PROOF_LIFE = 300

log = structlog.get_logger()


class Refused(Exception):
    """The login failed; the message is shown to the user."""

    def __init__(self, message: str, *, retry_after: int | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


async def page(request: Request) -> Response:
    """The login form; signed-in users are redirected."""
    target = local_path(request.query_params.get("returnUrl", ""))
    if getattr(request.state, "user", None):
        return guard.redirect(target)
    return _page(request, target)


async def submit(request: Request, form: FormData) -> Response:
    """Check the password; if there is no second factor, log in."""
    target, email = local_path(text(form, "returnUrl")), text(form, "email").strip()
    try:
        account = await _check_first_factor(request, email, text(form, "password"))
    except Refused as refused:
        return _page(request, target, email, refused)
    return await continue_login(request, account, target)


async def continue_login(request: Request, account: Account, target: str) -> Response:
    """Ask for the second factor if the account has one, otherwise start the session."""
    if account.totp_at is not None:
        return _code_page(request, account.id, target)
    return await _begin(request, account, target)


async def submit_code(request: Request, form: FormData) -> Response:
    """Check the second factor after the first."""
    target, proof = local_path(text(form, "returnUrl")), text(form, "proof")
    account_id, code = proof.partition(".")[0], text(form, "code")
    try:
        account = await _check_second_factor(request, proof, code)
    except AccountNotFound:
        return _page(request, target, refused=Refused(_TOO_LATE))
    except Refused as refused:
        return _code_page(request, account_id, target, refused, recovering=recovery.is_shaped(code))
    return await _begin(request, account, _after(target, code))


def _after(target: str, code: str) -> str:
    """Where the login leads; the overview tells how many recovery codes are left after one."""
    tells = recovery.is_shaped(code) and target == local_path("")
    return f"{target}?done=recovered" if tells else target


async def logout(request: Request, _form: FormData) -> Response:
    """Log out."""
    return await sessions.sign_out(request, guard.redirect("/"))


async def _begin(request: Request, account: Account, target: str) -> Response:
    portal = Portal.of(request)
    async with portal.site.database.write() as db:
        await LoginAttempt(account.email or account.id, address(request)).succeeded(db)
        await auditing.record_own(db, request, "login", account)
    log.info("login.succeeded", account=account.id)
    return await sessions.sign_in(request, guard.redirect(target), account)


async def _check_first_factor(request: Request, email: str, password: str) -> Account:
    """The account with this address and password. Raises Refused."""
    portal, attempt = Portal.of(request), LoginAttempt(email, address(request))
    await _begin_attempt(portal, attempt)
    async with portal.site.database.read() as db:
        account = await _by_email(db, email)
    hashed = account.password_hash if account else None
    valid = await portal.passwords.matches(hashed, password)
    if account is None or not valid or account.disabled_at is not None:
        await _record_failure(request, account)
        raise Refused(WRONG)
    outdated = hashed is not None and portal.passwords.is_outdated(hashed)
    rehashed = await portal.passwords.hash(password) if outdated else None
    async with portal.site.database.write() as db:
        await attempt.passed(db, now=portal.now)
        if rehashed:
            await identity.set_password(db, account, rehashed)
    return account


async def _begin_attempt(portal: Portal, attempt: LoginAttempt) -> None:
    """Count the attempt. Raises Refused if it is rate-limited."""
    try:
        async with portal.site.database.write() as db:
            await attempt.begin(db, now=portal.now)
    except RateLimited as limited:
        raise Refused(str(limited), retry_after=limited.retry_after) from None


async def _by_email(db: AsyncConnection, email: str) -> Account | None:
    try:
        return await identity.by_email(db, email)
    except InvalidAccount:
        return None


async def _check_second_factor(request: Request, proof: str, code: str) -> Account:
    """The account of a proof, if the code is right. Raises Refused, AccountNotFound."""
    portal = Portal.of(request)
    async with portal.site.database.read() as db:
        account = await identity.by_id(db, _verify_proof(request, proof))
    attempt = LoginAttempt(account.email or account.id, address(request))
    await _begin_attempt(portal, attempt)
    if not await is_second_factor(request, account, code):
        await _record_failure(request, account)
        raise Refused(_RECOVERY_WRONG if recovery.is_shaped(code) else _CODE_WRONG)
    async with portal.site.database.write() as db:
        await attempt.passed(db, now=portal.now)
    return account


async def is_code(portal: Portal, account: Account, code: str) -> bool:
    """Whether this is the account's current one-time code; it is used up."""
    secret = totp.secret(portal.signing, account.totp_nonce or "")
    step = totp.step_of(secret, code, portal.now)
    if step is None:
        return False
    async with portal.site.database.write() as db:
        return await identity.use_step(db, account, step)


async def is_second_factor(request: Request, account: Account, code: str) -> bool:
    """Whether this is a valid one-time code or recovery code; it is used up."""
    if recovery.is_shaped(code):
        return await _use_recovery_code(request, account, code)
    return await is_code(Portal.of(request), account, code)


async def _use_recovery_code(request: Request, account: Account, code: str) -> bool:
    """Whether this is an unused recovery code; it is used up, and its owner notified."""
    portal = Portal.of(request)
    digest = recovery.digest(portal.signing, account.id, code)
    async with portal.site.database.write() as db:
        if not await kept.use(db, account.id, digest, now=portal.now):
            return False
        await auditing.record_own(db, request, "recovery.used", account)
        left = await kept.left(db, account.id)
        letter = letters.recovery_used(portal.settings.base_url, address(request), left)
        await letters.notify(db, account, letter, now=portal.now)
    log.info("recovery.used", account=account.id)
    return True


def _proof(request: Request, account_id: str) -> str:
    """Sign, for this visitor only, that an account's first factor was correct just now."""
    portal = Portal.of(request)
    until = int(portal.now) + _PROOF_LIFE
    return f"{account_id}.{until}.{_seal(request, account_id, until)}"


def _verify_proof(request: Request, proof: str) -> str:
    """The account id of a proof; "" if it is invalid or expired."""
    account_id, _, rest = proof.partition(".")
    until, _, seal = rest.partition(".")
    if not until.isdecimal() or int(until) <= Portal.of(request).now:
        return ""
    expected = _seal(request, account_id, int(until))
    return account_id if hmac.compare_digest(seal.encode(), expected.encode()) else ""


def _seal(request: Request, account_id: str, until: int) -> str:
    message = f"{account_id}.{until}.{sessions.csrf_token(request)}"
    return hmac.digest(
        Portal.of(request).signing, f"oxlo proof\0{message}".encode(), "sha256"
    ).hex()


async def _record_failure(request: Request, account: Account | None) -> None:
    log.info("login.failed", account=account.id if account else "", address=address(request))
    if account is not None:
        async with Portal.of(request).site.database.write() as db:
            await auditing.record_own(db, request, "login.failed", account)


def _page(
    request: Request, target: str, email: str = "", refused: Refused | None = None
) -> Response:
    portal = Portal.of(request)
    context = {
        "email": email[:254],
        "target": target,
        "problem": str(refused) if refused else "",
        "done": request.query_params.get("done", ""),
        "providers": portal.providers,
        "closed": portal.settings.signup == "closed",
    }
    reply = guard.respond(request, "auth/login.html", context)
    return _with_status(guard.may_lead_to_checkout(request, reply), refused)


def _code_page(
    request: Request,
    account_id: str,
    target: str,
    refused: Refused | None = None,
    *,
    recovering: bool = False,
) -> Response:
    context = {
        "recovering": recovering,
        "proof": _proof(request, account_id),
        "target": target,
        "problem": str(refused) if refused else "",
    }
    reply = guard.respond(request, "auth/code.html", context)
    return _with_status(guard.may_lead_to_checkout(request, reply), refused)


def _with_status(reply: Response, refused: Refused | None) -> Response:
    if refused is not None:
        reply.status_code = 429 if refused.retry_after else 401
        if refused.retry_after:
            reply.headers["retry-after"] = str(refused.retry_after)
    return reply
