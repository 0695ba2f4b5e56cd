"""What one check of `oxlo doctor` found, in a line."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    name: str
    #: What is there; or what is wrong, and what to do.
    words: str
    ok: bool = True
    #: Whether `oxlo serve` cannot work like this.
    blocks: bool = False

    def __str__(self) -> str:
        return f"{'ok' if self.ok else '!!'}  {self.name}: {self.words}"


def wrong(name: str, words: str) -> Finding:
    """A finding that blocks."""
    return Finding(name, " ".join(words.split()), ok=False, blocks=True)
