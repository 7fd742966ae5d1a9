from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from atypia.overlay import grey_share, heat_share, outlined, overlay


def test_below_the_scale_the_scan_stays_grey(rng: np.random.Generator) -> None:
    scan = rng.random((20, 30), dtype=np.float32)
    drawn = overlay(scan, np.full((20, 30), 0.9, np.float32), (1.0, 2.0))
    assert drawn.shape == (20, 30, 3)
    assert drawn.dtype == np.uint8
    assert (drawn[..., 0] == drawn[..., 1]).all()
    assert (drawn[..., 1] == drawn[..., 2]).all()


def test_above_the_scale_the_scan_glows(rng: np.random.Generator) -> None:
    scan, heat = rng.random((20, 30), dtype=np.float32), np.zeros((20, 30), np.float32)
    heat[5:9, 5:9] = 5
    drawn = overlay(scan, heat, (1.0, 2.0)).astype(int)
    glow = drawn[..., 0] - drawn[..., 2]
    assert (glow[5:9, 5:9] > 60).all()
    assert (glow[heat == 0] == 0).all()


@given(st.floats(-100, 100), st.floats(0, 100), st.lists(st.floats(-1e6, 1e6, width=32), min_size=2))
def test_the_share_is_bounded_and_keeps_order(clear: float, span: float, values: list[float]) -> None:
    heat = heat_share(np.sort(np.array([values], dtype=np.float32)), (clear, clear + span))
    assert ((heat >= 0) & (heat <= 1)).all()
    assert (np.diff(heat) >= 0).all()


def test_one_grey_everywhere_is_black() -> None:
    assert (grey_share(np.full((4, 4), 7, np.float32)) == 0).all()


def test_a_line_surrounds_each_region_and_leaves_its_inside():
    picture = np.full((40, 60, 3), 7, np.uint8)
    regions = np.zeros((40, 60), np.uint8)
    regions[10:20, 10:20], regions[10:20, 20:30] = 1, 2
    drawn = outlined(picture, regions)
    changed = (drawn != 7).any(axis=-1)
    assert changed[9, 9:31].all()
    assert changed[10:20, 19:21].all()
    assert not changed[11:19, 11:18].any()
    assert not changed[:, 32:].any()
    assert (picture == 7).all()
    assert np.array_equal(outlined(picture, np.zeros_like(regions)), picture)
