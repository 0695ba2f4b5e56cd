"""`GET /auth/me/profile-status`: whose session this is, for programs beside the portal."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from oxlo.errors import InvalidApiKey
from oxlo.portal import guard
from oxlo.store.accounts import OPERATOR


async def status(request: Request) -> Response:
    """Who is signed in, in the words of the hosted portal. Raises InvalidApiKey: nobody is."""
    if not guard.is_signed_in(request):
        raise InvalidApiKey("Nobody is signed in here: log in at /login, and send its cookie.")
    account = guard.account(request)
    told = {
        "id": account.id,
        "email": account.email,
        "name": account.name,
        "plan_id": account.plan,
        "is_superuser": account.role == OPERATOR,
        "profile_completed": bool(account.email and account.name),
        "email_verified": account.verified_at is not None,
    }
    return JSONResponse(told, headers={"cache-control": "no-store"})
