"""How an account moves to a plan: requested and approved, or paid for."""

from oxlo.billing.base import Provider
from oxlo.billing.manual import Manual
from oxlo.billing.stripe import Stripe
from oxlo.settings import Settings
from oxlo.store.database import Database


def build(settings: Settings, database: Database) -> Provider:
    """Return the configured provider: Stripe if a secret key is set."""
    return Stripe(settings, database) if settings.stripe_key else Manual(database)
