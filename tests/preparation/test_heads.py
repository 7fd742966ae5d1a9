"""A montage is known by its pieces."""

from __future__ import annotations

import numpy as np
import pytest

from atypia.preparation import Preparation
from atypia.scan import Scan


@pytest.mark.parametrize(("down", "across"), [(1, 1), (1, 2), (2, 2), (3, 4)])
def test_the_heads_of_a_montage_are_counted(draw_heads, down, across):
    heads, _ = draw_heads(down * across, size=64)
    apart = [np.pad(head * (head > 0.05), 8) for head in heads]
    picture = np.block([[apart[a * across + b] for b in range(across)] for a in range(down)])
    assert Preparation(size=64)(Scan(picture, "made")).heads == down * across


def test_small_pieces_and_long_ones_are_no_heads(draw_heads):
    picture = np.pad(draw_heads(1, size=96)[0][0], 40)
    picture[5:20, 5:20] = picture[170:174, 20:150] = 0.8
    assert Preparation(size=64)(Scan(picture, "made")).heads == 1
