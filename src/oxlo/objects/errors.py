"""What can go wrong with kept files."""


class CannotKeep(Exception):
    """The store cannot be used; the message tells the operator why."""
