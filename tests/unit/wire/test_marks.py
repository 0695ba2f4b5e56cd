from hypothesis import given
from hypothesis import strategies as st

from oxlo.wire.marks import LEAST, STEP, length, marks

texts = st.lists(st.binary(max_size=3 * STEP), max_size=6)


@given(texts, texts)
def test_what_follows_changes_nothing(before: list[bytes], after: list[bytes]) -> None:
    """Marks of a beginning are marks of what goes on from it, but for a last, short one."""
    found = marks(before)
    stable = found if length(found[-1]) >= LEAST else []
    assert marks(before + after)[: len(stable)] == stable


def test_a_shared_document_is_found_inside_a_turn() -> None:
    """Two questions behind the same document in one message share its marks."""
    document = b"word " * 2_000
    one, other = marks([document + b"Who?"]), marks([document + b"When? And where?"])
    assert len(set(one) & set(other)) == len(document) // STEP


def test_different_beginnings_share_nothing() -> None:
    """What differs at the start has no mark in common, however long the same text follows."""
    assert not set(marks([b"a", b"same " * 1_000])) & set(marks([b"b", b"same " * 1_000]))


def test_long_prompts_have_few() -> None:
    """A megabyte has some hundred and fifty marks, and what is beyond it none."""
    assert len(marks([b"x" * (1 << 20), b"y" * (1 << 20)])) < 160


def test_nothing_said_has_one() -> None:
    """There is always a mark to go by."""
    assert marks([]) == [0]
    assert len(marks([b"hi"])) == 1
