"""Routes of the dashboard."""

from starlette.routing import BaseRoute

from oxlo.portal.dashboard import (
    codes,
    data,
    keys,
    latency,
    overview,
    receipt,
    requests,
    settings,
    usage,
)
from oxlo.portal.guard import account_form, account_page

_KEYS = "/dashboard/api-keys"
_SETTINGS = "/dashboard/settings"


def routes() -> list[BaseRoute]:
    """Routes for signed-in accounts."""
    return [
        account_page("/dashboard", overview.page),
        account_page("/dashboard/limits", overview.live),
        account_page(_KEYS, keys.page),
        account_form(_KEYS, keys.create),
        account_form(f"{_KEYS}/{{key}}/rotate", keys.rotate),
        account_form(f"{_KEYS}/{{key}}/revoke", keys.revoke),
        account_form(f"{_KEYS}/{{key}}/rename", keys.rename),
        account_page("/dashboard/usage", usage.page),
        account_page("/dashboard/usage.csv", usage.download),
        account_page(latency.PATH, latency.page),
        account_page(f"{latency.PATH}.csv", latency.download),
        account_page("/dashboard/requests", requests.page),
        account_page("/dashboard/requests.csv", requests.download),
        account_page("/dashboard/requests/{id}", receipt.page),
        account_page(_SETTINGS, settings.page),
        account_form(f"{_SETTINGS}/profile", settings.save_profile),
        account_form(f"{_SETTINGS}/password", settings.save_password),
        account_form(f"{_SETTINGS}/totp", codes.offer),
        account_form(f"{_SETTINGS}/totp/confirm", codes.confirm),
        account_form(f"{_SETTINGS}/totp/end", codes.end),
        account_form(f"{_SETTINGS}/totp/recovery", codes.renew),
        account_form(f"{_SETTINGS}/sessions/end-others", settings.sign_out_others),
        account_form(f"{_SETTINGS}/unlink", settings.unlink),
        account_form(f"{_SETTINGS}/promo", settings.use_promo),
        account_page(f"{_SETTINGS}/export", data.export),
        account_form(f"{_SETTINGS}/delete", data.delete),
    ]
