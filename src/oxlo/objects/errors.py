"""What can go wrong with kept files."""

from oxlo.errors import OperatorError


class CannotKeep(OperatorError):
    """The store cannot be used; the message tells the operator why."""
