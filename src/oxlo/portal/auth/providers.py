"""The configured login providers: GitHub, Google, OpenID Connect."""

import msgspec

from oxlo.settings import Settings, SettingsError

_GOOGLE = "https://accounts.google.com"


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """An identity provider."""

    id: str
    label: str
    client_id: str
    secret: str
    scope: str
    #: Base URL of `/.well-known/openid-configuration`; "" for GitHub.
    issuer: str


def offered(settings: Settings) -> list[Provider]:
    """The providers that the operator has configured. Raises SettingsError."""
    github, google, oidc = settings.github_client, settings.google_client, settings.oidc_client
    issuer = settings.oidc_issuer.rstrip("/")
    providers = []
    if github:
        providers.append(_provider("github", "GitHub", "", "OXLO_GITHUB_CLIENT", github))
    if google:
        providers.append(_provider("google", "Google", _GOOGLE, "OXLO_GOOGLE_CLIENT", google))
    if issuer:
        providers.append(_provider("oidc", settings.oidc_name, issuer, "OXLO_OIDC_CLIENT", oidc))
    return providers


def _provider(name: str, label: str, issuer: str, variable: str, client: str) -> Provider:
    client_id, _, secret = client.partition(":")
    if not client_id or not secret:
        raise SettingsError(f"{variable}: takes CLIENT_ID:SECRET")
    return Provider(
        id=name,
        label=label,
        client_id=client_id,
        secret=secret,
        scope="openid email profile" if issuer else "read:user user:email",
        issuer=issuer,
    )
