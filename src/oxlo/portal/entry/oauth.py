"""Log-in with GitHub, Google or any OpenID Connect provider: which are configured."""

import msgspec

from oxlo.settings import Settings, SettingsError


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """One provider of identities."""

    id: str
    label: str
    client_id: str
    secret: str
    scope: str
    #: Where its addresses are found: `ISSUER/.well-known/openid-configuration`; "" for GitHub.
    issuer: str


def offered(settings: Settings) -> list[Provider]:
    """The providers that the operator has configured. Raises SettingsError."""
    found = []
    if settings.github_client:
        client, secret = _client("OXLO_GITHUB_CLIENT", settings.github_client)
        found.append(
            Provider(
                id="github",
                label="GitHub",
                client_id=client,
                secret=secret,
                scope="read:user user:email",
                issuer="",
            )
        )
    if settings.google_client:
        google = "https://accounts.google.com"
        found.append(
            _oidc("google", "Google", google, "OXLO_GOOGLE_CLIENT", settings.google_client)
        )
    if settings.oidc_issuer:
        issuer = settings.oidc_issuer.rstrip("/")
        name = settings.oidc_name
        found.append(_oidc("oidc", name, issuer, "OXLO_OIDC_CLIENT", settings.oidc_client))
    return found


def _oidc(provider: str, label: str, issuer: str, name: str, client: str) -> Provider:
    client_id, secret = _client(name, client)
    return Provider(
        id=provider,
        label=label,
        client_id=client_id,
        secret=secret,
        scope="openid email profile",
        issuer=issuer,
    )


def _client(name: str, text: str) -> tuple[str, str]:
    client_id, _, secret = text.partition(":")
    if not client_id or not secret:
        raise SettingsError(f"{name}: takes CLIENT_ID:SECRET")
    return client_id, secret
