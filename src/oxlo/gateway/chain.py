"""The models that a caller lets answer: what is left of them, and what became of the others.

A call goes on with the next model only where its caller has named it, in `models` beside `model`.
"""

from collections.abc import Iterable

from oxlo.errors import ApiError


class Chain:
    """One call's models, in the caller's order."""

    __slots__ = ("_left", "_tried", "head")

    def __init__(self, names: Iterable[str], head: bytes) -> None:
        """`names` follow the first model; `head` are the reply's header lines so far."""
        self._left = list(dict.fromkeys(names))
        self._tried: list[str] = []
        self.head = head

    def __bool__(self) -> bool:
        """Whether a model is left that was not tried."""
        return bool(self._left)

    def __len__(self) -> int:
        return len(self._tried)

    def next(self) -> str:
        """Take the next name."""
        return self._left.pop(0)

    def failed(self, model: str, error: ApiError, at: int | None = None) -> None:
        """A model did not answer, for this reason; `at` is its place among those that did not."""
        place = len(self._tried) if at is None else at
        self._tried.insert(place, f"{model}={error.error_code}")

    @property
    def tried(self) -> str:
        """Who did not answer, and why: `big=queue_full, other=model_not_deployed`."""
        return ", ".join(self._tried)

    def lines(self, model: str) -> bytes:
        """Header lines of a reply; `model` is who answers, "" where nobody does."""
        lines = f"x-oxlo-model: {model}\r\n" if model else ""
        if self._tried:
            lines += f"x-oxlo-tried: {self.tried}\r\n"
        return lines.encode()
