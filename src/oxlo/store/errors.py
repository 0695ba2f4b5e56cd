"""What can go wrong in the store; each message is one line for an operator.

StoreError
├── DatabaseUnavailable   the database cannot be reached, or is too busy
├── SchemaMismatch        the database is older or newer than this program
├── AccountExists         the name or e-mail address is taken
├── AccountNotFound
├── InvalidAccount        a name or address that cannot be used
├── KeyNotFound
├── CallNotFound
├── InvalidGrant          requests cannot be granted so
├── InvalidScope          a key would be narrowed to something that does not exist
├── TokenSpent            a link was used, has expired, or never was
└── PromoRefused          a promo code cannot be used, or not by this account
"""

from oxlo.errors import OperatorError


class StoreError(OperatorError):
    """An operation on the store failed."""


class DatabaseUnavailable(StoreError):
    """The database cannot be reached."""


class SchemaMismatch(StoreError):
    """The database schema is not the one that this program requires."""


class AccountExists(StoreError):
    """An account with that name or e-mail address exists already."""


class AccountNotFound(StoreError):
    """There is no such account."""


class InvalidAccount(StoreError):
    """The account's name or e-mail address cannot be used."""


class KeyNotFound(StoreError):
    """There is no such key."""


class InvalidScope(StoreError):
    """A key cannot be narrowed to that."""


class TokenSpent(StoreError):
    """This link was used already, or has expired. Ask for a new one."""


class PromoRefused(StoreError):
    """This promo code cannot be used."""


class CallNotFound(StoreError):
    """There is no such call, or its receipt is too old."""


class InvalidGrant(StoreError):
    """Requests cannot be granted so."""
