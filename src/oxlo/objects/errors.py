"""Errors of the object store."""

from oxlo.errors import OperatorError


class StorageError(OperatorError):
    """The store cannot be used; the message says why."""
