"""How accounts come to their plans: asked for and approved, or paid for."""

from oxlo.billing.base import Provider
from oxlo.billing.manual import Manual
from oxlo.billing.stripe import Stripe
from oxlo.settings import Settings
from oxlo.store.database import Database


def build(settings: Settings, database: Database) -> Provider:
    """The provider in force: Stripe where there is a key for it."""
    return Stripe(settings, database) if settings.stripe_key else Manual(database)
