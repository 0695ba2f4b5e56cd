"""The five shapes, and their antialiased coverage of pixels."""

import math

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]

#: Side of a scene in pixels.
SIDE = 64
#: Maximum extent of a shape from its centre, in radii.
REACH = 1.3


def _regular(corners: int, radius: float, inner: float | None = None) -> Field:
    """Return the corners of a regular polygon pointing up; with `inner`, of a star."""
    radii = (radius,) if inner is None else (radius, inner)
    count = corners * len(radii)
    turns = [2 * math.pi * i / count for i in range(count)]
    points = [
        (radii[i % len(radii)] * math.sin(a), -radii[i % len(radii)] * math.cos(a))
        for i, a in enumerate(turns)
    ]
    return np.array(points, np.float32)


def _cross(length: float, width: float) -> Field:
    a, b = length, width
    points = [(-b, -a), (b, -a), (b, -b), (a, -b), (a, b), (b, b)]
    points += [(b, a), (-b, a), (-b, b), (-a, b), (-a, -b), (-b, -b)]
    return np.array(points, np.float32)


#: Polygons of radius one with similar areas; a circle has no corners.
OUTLINES: dict[str, Field] = {
    "circle": np.empty((0, 2), np.float32),
    "square": np.array([(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)], np.float32),
    "triangle": _regular(3, 1.3),
    "star": _regular(5, 1.3, 0.6),
    "cross": _cross(1.15, 0.42),
}
NAMES = tuple(OUTLINES)

_Y, _X = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) + 0.5


def coverage(shape: str, x: float, y: float, radius: float) -> Field:
    """Return the shape's coverage of each pixel, (SIDE, SIDE) in 0..1."""
    return np.asarray(np.clip(0.5 - distance(shape, x, y, radius), 0.0, 1.0))


def distance(shape: str, x: float, y: float, radius: float) -> Field:
    """Return the signed distance from each pixel to the shape's edge in pixels, (SIDE, SIDE)."""
    outline = OUTLINES[shape] * radius
    dx, dy = _X - x, _Y - y
    return _to_polygon(dx, dy, outline) if len(outline) else np.hypot(dx, dy) - radius


def area(shape: str) -> float:
    """Return the area of the shape with radius one."""
    outline = OUTLINES[shape]
    if not len(outline):
        return math.pi
    after = np.roll(outline, -1, axis=0)
    return abs(float(np.sum(outline[:, 0] * after[:, 1] - outline[:, 1] * after[:, 0]))) / 2


def _to_polygon(dx: Field, dy: Field, outline: Field) -> Field:
    """Return the signed distance to the polygon, negative inside."""
    start, end = outline, np.roll(outline, 1, axis=0)
    edge = end - start
    wx = dx[..., None] - start[:, 0]
    wy = dy[..., None] - start[:, 1]
    along = np.clip((wx * edge[:, 0] + wy * edge[:, 1]) / (edge**2).sum(1), 0.0, 1.0)
    nearest = np.hypot(wx - edge[:, 0] * along, wy - edge[:, 1] * along).min(-1)
    return np.asarray(np.where(_inside(dx, dy, start, end), -nearest, nearest), np.float32)


def _inside(dx: Field, dy: Field, start: Field, end: Field) -> NDArray[np.bool_]:
    """Test by ray casting: a ray to the right crosses the outline an odd number of times."""
    py = dy[..., None]
    spans = (start[:, 1] > py) != (end[:, 1] > py)
    rise = np.where(end[:, 1] == start[:, 1], 1.0, end[:, 1] - start[:, 1])
    crossing = start[:, 0] + (py - start[:, 1]) * (end[:, 0] - start[:, 0]) / rise
    return np.asarray((spans & (dx[..., None] < crossing)).sum(-1) % 2 == 1)
