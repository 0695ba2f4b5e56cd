"""What fails at the moment, so that the log has each change once, and not every try."""


class Troubles:
    """Failures of what is tried again and again, by its name."""

    def __init__(self) -> None:
        self._errors: dict[str, str] = {}

    def begins(self, name: str, error: str) -> bool:
        """Record a failure; returns whether it is the first, or has another error."""
        before = self._errors.get(name)
        self._errors[name] = error
        return before != error

    def ends(self, name: str) -> bool:
        """Record a success; returns whether it failed before."""
        return self._errors.pop(name, None) is not None
