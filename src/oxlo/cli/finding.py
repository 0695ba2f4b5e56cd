"""The result of one check of `oxlo doctor`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    name: str
    #: The state; or the problem, and its remedy.
    words: str
    ok: bool = True
    #: Whether `oxlo serve` cannot start or work.
    blocks: bool = False

    def __str__(self) -> str:
        return f"{'ok' if self.ok else '!!'}  {self.name}: {self.words}"


def wrong(name: str, words: str) -> Finding:
    """A blocking finding."""
    return Finding(name, " ".join(words.split()), ok=False, blocks=True)
