"""The OAuth client: authorization URLs, and the identity behind a code.

Authlib speaks the protocol. The identity is read from the provider with the token that it has just
issued to us over TLS: nothing that came through the browser is trusted.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from oxlo.errors import ApiError
from oxlo.portal.auth.providers import Provider

if TYPE_CHECKING:
    from authlib.integrations.httpx_client import AsyncOAuth2Client

#: Seconds for each request to a provider.
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
    """An identity at a provider."""

    subject: str
    #: Verified e-mail address; "" if there is no such address.
    email: str


class Start(NamedTuple):
    """An authorization URL, with the state and verifier to check on return."""

    url: str
    state: str
    verifier: str


async def start(provider: Provider, callback: str) -> Start:
    """Start an authorization. Raises ProviderFailed."""
    from authlib.common.security import generate_token

    async with _client(provider, callback) as client:
        endpoints = await _endpoints(client, provider)
        verifier = generate_token(48)
        url, state = client.create_authorization_url(
            endpoints["authorization_endpoint"], code_verifier=verifier
        )
    return Start(url, state, verifier)


async def finish(provider: Provider, callback: str, code: str, verifier: str) -> Person:
    """Exchange the code for the person's identity. Raises ProviderFailed."""
    async with _client(provider, callback) as client:
        endpoints = await _endpoints(client, provider)
        await client.fetch_token(endpoints["token_endpoint"], code=code, code_verifier=verifier)
        claims = await _get(client, endpoints["userinfo_endpoint"])
        if provider.issuer:
            return person(claims)
        return Person(str(claims["id"]), github_email(await _get(client, _GITHUB_EMAILS)))


@asynccontextmanager
async def _client(provider: Provider, callback: str) -> AsyncIterator["AsyncOAuth2Client"]:
    """Authlib's client, with its errors and the provider's translated to ProviderFailed."""
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
    return dict(await _get(client, url, withhold_token=True))


async def _get(client: "AsyncOAuth2Client", url: str, **options: Any) -> Any:
    response = await client.request("GET", url, headers={"accept": "application/json"}, **options)
    response.raise_for_status()
    return response.json()


def person(claims: dict[str, Any]) -> Person:
    """The identity in OpenID Connect claims. Raises KeyError."""
    verified = claims.get("email_verified") in (True, "true")
    return Person(str(claims["sub"]), str(claims.get("email", "")) if verified else "")


def github_email(emails: list[dict[str, Any]]) -> str:
    """The verified primary address, or another verified one; "" if there is none."""
    verified = [each for each in emails if each.get("verified")]
    first = next(
        (each for each in verified if each.get("primary")), verified[0] if verified else None
    )
    return str(first["email"]) if first else ""
