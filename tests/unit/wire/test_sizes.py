"""Which size is drawn for the one that was asked for."""

import pytest

from oxlo import catalogue
from oxlo.errors import BadRequest
from oxlo.wire.sizes import Side, Sizes, sizes

FREE = Sizes(own=(1024, 1024), width=Side(256, 2048, 64), height=Side(256, 2048, 64))
FEW = Sizes(own=(64, 64), only=((64, 64), (96, 64)))


@pytest.mark.parametrize(
    ("asked", "drawn"),
    [
        ((None, None, None), (1024, 1024)),
        (("auto", None, None), (1024, 1024)),
        (("512x768", None, None), (512, 768)),
        ((None, 512, None), (512, 1024)),
        (("512x512", 1024, 768), (512, 512)),
        (("1536x864", None, None), (1536, 896)),
        ((None, 257, 2047), (256, 2048)),
    ],
)
def test_free_sizes(asked: tuple[str | None, int | None, int | None], drawn: object) -> None:
    """The model's own, what was asked for, or the next on the model's grid."""
    assert FREE.choose(*asked) == drawn


@pytest.mark.parametrize(
    ("size", "width", "param"),
    [
        ("4096x512", None, "size"),
        (None, 8, "width"),
        ("big", None, "size"),
        ("-1x64", None, "size"),
    ],
)
def test_out_of_range(size: str | None, width: int | None, param: str) -> None:
    """A refusal names the field."""
    with pytest.raises(BadRequest) as refusal:
        FREE.choose(size, width, None)
    assert refusal.value.param == param


def test_sides_of_a_model_that_is_not_square() -> None:
    """A side that is not given is the model's own."""
    wide = Sizes(own=(1536, 1024), width=Side(256, 2048, 64), height=Side(256, 2048, 64))
    assert wide.choose(None, None, 512) == (1536, 512)
    assert wide.choose(None, 512, None) == (512, 1024)


def test_few_sizes() -> None:
    """A model that was made for some sizes draws those, and says which they are."""
    assert FEW.choose("96x64", None, None) == (96, 64)
    with pytest.raises(BadRequest, match="64x64, 96x64, not 300x300"):
        FEW.choose("300x300", None, None)


@pytest.mark.parametrize(
    ("given", "drawn"),
    [((512, 768), (512, 768)), ((6000, 3000), (2048, 1024)), ((100, 40), (256, 256))],
)
def test_like_an_image(given: tuple[int, int], drawn: tuple[int, int]) -> None:
    """An edit keeps its image's size, as far as the model can."""
    assert FREE.like(given) == drawn


def test_like_an_image_among_few() -> None:
    """The nearest shape."""
    assert FEW.like((1920, 1080)) == (96, 64)


@pytest.mark.parametrize("model", [m for m in catalogue.load() if "images" in m.abilities])
def test_every_shipped_model_draws_its_own_size(model: catalogue.Model) -> None:
    """What the catalogue publishes as the default can be drawn."""
    known = sizes(model)
    assert known.choose(None, None, None) == known.own
