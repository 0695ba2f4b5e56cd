"""Where the captions of boxes go in a picture. Pure."""

from collections.abc import Sequence

Corners = tuple[float, float, float, float]


def place(
    box: Corners, text: tuple[float, float], picture: tuple[int, int], taken: Sequence[Corners]
) -> Corners:
    """Above the box, in it or below it, wherever no other caption is; always in the picture."""
    (left, top, _, bottom), (width, height) = box, text
    x = max(0.0, min(left, picture[0] - width))
    places = [
        (x, y, x + width, y + height)
        for y in (top - height, top, bottom - height, bottom, 0.0)
        if 0 <= y <= picture[1] - height or y == 0
    ]
    free = (at for at in places if not any(_overlap(at, other) for other in taken))
    return next(free, places[0])


def _overlap(one: Corners, other: Corners) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
