"""What the driver says about its cards."""

import pytest

from oxlo.hardware import gpus
from oxlo.hardware.sizing import Gpu

LISTING = """\
0, GPU-5a1e, NVIDIA L40S, 46068
1, GPU-77aa, NVIDIA L40S, 46068
2, GPU-77bb, Tesla T4, 15360
3, GPU-dead, Tesla T4, [Unknown Error]
"""


def test_cards_are_read() -> None:
    """Each line is a card; one that fell off the bus is none."""
    first, second, third = gpus.read(LISTING)
    assert first == Gpu(0, "NVIDIA L40S", 46_068)
    assert (second.index, third.name) == (1, "Tesla T4")


@pytest.mark.parametrize(
    ("visible", "indices"),
    [
        ("1,0", [1, 0]),
        ("GPU-77b", [2]),
        ("0, 9, 1", [0]),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
    ],
)
def test_only_visible_cards(visible: str, indices: list[int]) -> None:
    """CUDA_VISIBLE_DEVICES is read as CUDA reads it: in its order, up to the first wrong name."""
    assert [gpu.index for gpu in gpus.read(LISTING, visible)] == indices
