"""The fallback chain of a call: the models still to try, and why others did not answer.

A call falls back to another model only if its client listed it in `models`.
"""

from collections.abc import Iterable

from oxlo.errors import ApiError


class Chain:
    """One call's models, in the client's order."""

    __slots__ = ("_left", "_tried", "head")

    def __init__(self, models: Iterable[str], head: bytes) -> None:
        """`models` (ids) follow the first one; `head` holds the response's header lines so far."""
        self._left = list(dict.fromkeys(models))
        self._tried: list[str] = []
        self.head = head

    def __bool__(self) -> bool:
        """Whether any model has not been tried."""
        return bool(self._left)

    def __len__(self) -> int:
        return len(self._tried)

    def next(self) -> str:
        """Take the next model."""
        return self._left.pop(0)

    def failed(self, model: str, error: ApiError, at: int | None = None) -> None:
        """Record why a model did not answer; `at` is its position among the failed ones."""
        place = len(self._tried) if at is None else at
        self._tried.insert(place, f"{model}={error.error_code}")

    @property
    def tried(self) -> str:
        """The models that did not answer, and why: `big=queue_full, other=model_not_deployed`."""
        return ", ".join(self._tried)

    def lines(self, model: str) -> bytes:
        """Header lines of a response; `model` is the one that answered, "" if none did."""
        lines = f"x-oxlo-model: {model}\r\n" if model else ""
        if self._tried:
            lines += f"x-oxlo-tried: {self.tried}\r\n"
        return lines.encode()
