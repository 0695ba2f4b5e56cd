"""The addresses of who is signed in."""

from starlette.routing import BaseRoute

from oxlo.portal.dashboard import codes, keys, latency, overview, requests, settings, usage
from oxlo.portal.guard import change, mine

_KEYS = "/dashboard/api-keys"
_SETTINGS = "/dashboard/settings"


def routes() -> list[BaseRoute]:
    """The table."""
    return [
        mine("/dashboard", overview.page),
        mine("/dashboard/limits", overview.live),
        mine(_KEYS, keys.page),
        change(_KEYS, keys.create),
        change(f"{_KEYS}/{{key}}/rotate", keys.rotate),
        change(f"{_KEYS}/{{key}}/revoke", keys.revoke),
        change(f"{_KEYS}/{{key}}/rename", keys.rename),
        mine("/dashboard/usage", usage.page),
        mine("/dashboard/usage.csv", usage.download),
        mine(latency.PATH, latency.page),
        mine(f"{latency.PATH}.csv", latency.download),
        mine("/dashboard/requests", requests.page),
        mine("/dashboard/requests.csv", requests.download),
        mine("/dashboard/requests/{id}", requests.receipt),
        mine(_SETTINGS, settings.page),
        change(f"{_SETTINGS}/profile", settings.save_profile),
        change(f"{_SETTINGS}/password", settings.save_password),
        change(f"{_SETTINGS}/totp", codes.offer),
        change(f"{_SETTINGS}/totp/confirm", codes.confirm),
        change(f"{_SETTINGS}/totp/end", codes.end),
        change(f"{_SETTINGS}/totp/recovery", codes.renew),
        change(f"{_SETTINGS}/sessions/end-others", settings.sign_out_others),
        change(f"{_SETTINGS}/unlink", settings.unlink),
        change(f"{_SETTINGS}/promo", settings.use_promo),
        mine(f"{_SETTINGS}/export", settings.export),
        change(f"{_SETTINGS}/delete", settings.delete),
    ]
