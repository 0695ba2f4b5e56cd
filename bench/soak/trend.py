"""Trends of time series; pure."""

import statistics
from collections.abc import Sequence
from itertools import pairwise


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the slope of the least-squares line."""
    mean_x = statistics.fmean(x for x, _ in points)
    mean_y = statistics.fmean(y for _, y in points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def largest_step(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the largest rise between consecutive points, and the index after it."""
    rises = ((y - before, x) for (_, before), (x, y) in pairwise(points))
    return max(rises, default=(0.0, 0.0))
