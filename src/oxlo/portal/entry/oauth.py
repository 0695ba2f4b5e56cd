"""OAuth's half of a log-in elsewhere: where to send people, and who they turn out to be.

Authlib speaks the protocol. Who somebody is, is asked of the provider itself with the token that it
has just handed to us, over TLS: so nothing that a browser carried is believed.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from oxlo.errors import ApiError
from oxlo.portal.entry.providers import Provider

if TYPE_CHECKING:
    from authlib.integrations.httpx_client import AsyncOAuth2Client

#: Seconds for each question to a provider.
TIMEOUT = 10.0
_GITHUB = {
    "authorization_endpoint": "https://github.com/login/oauth/authorize",
    "token_endpoint": "https://github.com/login/oauth/access_token",
    "userinfo_endpoint": "https://api.github.com/user",
}
_GITHUB_EMAILS = "https://api.github.com/user/emails"


class ProviderFailed(ApiError):
    """The log-in there did not work. Try again, or log in with your password."""

    status = 502
    code = "provider_failed"


class Person(NamedTuple):
    """Who logged in elsewhere."""

    subject: str
    #: An address that the provider vouches for; "" for none.
    email: str


class Start(NamedTuple):
    """Where to send somebody, and what has to come back with them."""

    url: str
    state: str
    verifier: str


async def start(provider: Provider, callback: str) -> Start:
    """Begin a log-in. Raises ProviderFailed."""
    from authlib.common.security import generate_token

    async with _client(provider, callback) as client:
        endpoints = await _endpoints(client, provider)
        verifier = generate_token(48)
        url, state = client.create_authorization_url(
            endpoints["authorization_endpoint"], code_verifier=verifier
        )
    return Start(url, state, verifier)


async def finish(provider: Provider, callback: str, code: str, verifier: str) -> Person:
    """Who came back with a code. Raises ProviderFailed."""
    async with _client(provider, callback) as client:
        endpoints = await _endpoints(client, provider)
        await client.fetch_token(endpoints["token_endpoint"], code=code, code_verifier=verifier)
        claims = await _asked(client, endpoints["userinfo_endpoint"])
        if provider.issuer:
            return person(claims)
        return Person(str(claims["id"]), github_email(await _asked(client, _GITHUB_EMAILS)))


@asynccontextmanager
async def _client(provider: Provider, callback: str) -> AsyncIterator["AsyncOAuth2Client"]:
    """Authlib's client; its troubles and the provider's are one error of ours."""
    try:
        import httpx
        from authlib.common.errors import AuthlibBaseError
        from authlib.integrations.httpx_client import AsyncOAuth2Client
    except ImportError:
        raise ProviderFailed("Install the extra oxlo[oauth] to log in with a provider.") from None
    try:
        async with AsyncOAuth2Client(
            provider.client_id,
            provider.secret,
            scope=provider.scope,
            redirect_uri=callback,
            code_challenge_method="S256",
            timeout=TIMEOUT,
        ) as client:
            yield client
    except (AuthlibBaseError, httpx.HTTPError, KeyError, ValueError, TypeError) as error:
        raise ProviderFailed from error


async def _endpoints(client: "AsyncOAuth2Client", provider: Provider) -> dict[str, Any]:
    if not provider.issuer:
        return _GITHUB
    url = f"{provider.issuer}/.well-known/openid-configuration"
    return dict(await _asked(client, url, withhold_token=True))


async def _asked(client: "AsyncOAuth2Client", url: str, **more: Any) -> Any:
    reply = await client.request("GET", url, headers={"accept": "application/json"}, **more)
    reply.raise_for_status()
    return reply.json()


def person(claims: dict[str, Any]) -> Person:
    """Who the claims of an OpenID Connect provider are about. Raises KeyError."""
    vouched = claims.get("email_verified") in (True, "true")
    return Person(str(claims["sub"]), str(claims.get("email", "")) if vouched else "")


def github_email(emails: list[dict[str, Any]]) -> str:
    """The address that GitHub vouches for; "" for none."""
    mine = [each for each in emails if each.get("verified")]
    first = next((each for each in mine if each.get("primary")), mine[0] if mine else None)
    return str(first["email"]) if first else ""
