"""`GET /auth/me/profile-status`: the session's account, for programs outside the portal."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from oxlo.errors import InvalidApiKey
from oxlo.portal import guard
from oxlo.store.accounts import OPERATOR


async def status(request: Request) -> Response:
    """The signed-in account, in the hosted portal's format. Raises InvalidApiKey."""
    if not guard.is_signed_in(request):
        raise InvalidApiKey("Nobody is signed in here: log in at /login, and send its cookie.")
    account = guard.account(request)
    profile = {
        "id": account.id,
        "email": account.email,
        "name": account.name,
        "plan_id": account.plan,
        "is_superuser": account.role == OPERATOR,
        "profile_completed": bool(account.email and account.name),
        "email_verified": account.verified_at is not None,
    }
    return JSONResponse(profile, headers={"cache-control": "no-store"})
