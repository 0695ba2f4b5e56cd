"""The embeddings request."""

import msgspec
import pytest

from oxlo.errors import BadRequest
from oxlo.wire.embeddings import MAX_ITEMS, decode


def body(**fields: object) -> bytes:
    return msgspec.json.encode({"model": "m", "input": "Hi."} | fields)


@pytest.mark.parametrize(
    ("given", "items"),
    [
        ("one", ["one"]),
        (["one", "two"], ["one", "two"]),
        ([1, 2, 3], [[1, 2, 3]]),
        ([[1, 2], [3]], [[1, 2], [3]]),
    ],
)
def test_four_forms_of_input(given: object, items: list[object]) -> None:
    """A text, texts, token ids, and lists of token ids are lists of items."""
    request, unknown = decode(body(input=given))
    assert request.prompts == items
    assert unknown == ()


@pytest.mark.parametrize(
    "given", ["", [], [""], ["a", ""], [[]], ["a", 1], [[1], "a"], [True], [1.5], {}, None]
)
def test_wrong_inputs_name_the_field(given: object) -> None:
    """Nothing that is no text or no token ids gets to an engine."""
    with pytest.raises(BadRequest) as refused:
        decode(body(input=given))
    assert str(refused.value.param).startswith("input")


def test_a_batch_has_a_bound() -> None:
    """OpenAI's 2,048 items; token ids of one text may be more."""
    with pytest.raises(BadRequest, match="at most 2048 items, got 2049"):
        decode(body(input=["a"] * (MAX_ITEMS + 1)))
    request, _ = decode(body(input=[7] * (MAX_ITEMS + 1)))
    assert len(request.prompts) == 1


def test_the_longest_item_is_what_a_cap_looks_at() -> None:
    """Each item is held to the cap by itself (D17)."""
    request, _ = decode(body(input=["four", "eight888", "é"]))
    assert request.text_bytes == 8
