from oxlo.fleet.prefixes import Prefixes
from oxlo.wire.marks import length, marks

SYSTEM = b"Be brief. " * 100
PARTS = [SYSTEM, b"one " * 500, b"two " * 500]


def test_covers_what_it_was_sent() -> None:
    """A prompt that goes on from a known one is covered up to there."""
    held = Prefixes(1 << 20)
    held.note(marks(PARTS[:2]))
    assert held.covered(marks(PARTS)) == len(SYSTEM) + 2_000
    assert held.covered(marks([SYSTEM, b"else " * 400])) == len(SYSTEM)
    assert held.covered(marks([b"else " * 400])) == 0


def test_shared_bytes_are_held_once() -> None:
    """Prompts that share a beginning take its room once."""
    held = Prefixes(1 << 20)
    held.note(marks([SYSTEM, b"a" * 1_000]))
    held.note(marks([SYSTEM, b"b" * 1_000]))
    assert held.size == len(SYSTEM) + 2_000


def test_oldest_is_forgotten() -> None:
    """Beyond its room the prompt that was used longest ago goes, from its end on."""
    held = Prefixes(8_000)
    first, second, third = (marks([letter * 4_000]) for letter in (b"x", b"y", b"z"))
    held.note(first)
    held.note(second)
    held.note(first)
    held.note(third)
    assert held.size <= 8_000
    assert held.covered(second) < 4_000
    assert held.covered(first) == held.covered(third) == length(first[-1]) == 4_000
