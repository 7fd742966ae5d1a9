"""Shading goes, tissue and lesions stay."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from atypia.preparation.bias_field import bias_field
from atypia.scan import Image, Mask

SIDE = 112
ROWS, COLUMNS = (axis / (SIDE / 2) - 1 for axis in np.ogrid[:SIDE, :SIDE])
HEAD: Mask = np.hypot(ROWS, COLUMNS * 1.2) < 0.85


def tissue(lesion: bool = False) -> Image:
    texture = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(SIDE, SIDE)), 2) * 0.3
    canvas = np.where(HEAD, 0.5 + 0.1 * texture, 0.0)
    if lesion:
        canvas[np.hypot(ROWS - 0.2, COLUMNS - 0.3) < 0.25] = 0.9
    return canvas.astype(np.float32)


@settings(max_examples=20, deadline=None)
@given(down=st.floats(-0.25, 0.25), across=st.floats(-0.25, 0.25), bowl=st.floats(-0.2, 0.2))
def test_a_smooth_shading_is_evened_out(down: float, across: float, bowl: float) -> None:
    shading = np.exp(down * ROWS + across * COLUMNS + bowl * ROWS**2).astype(np.float32)
    field = bias_field(tissue() * shading, HEAD, 0.0)
    rest = np.log(shading / field)[HEAD]
    assert rest.std() < 0.02


def test_a_lesion_is_no_shading() -> None:
    field = bias_field(tissue(lesion=True), HEAD, 0.0)
    assert np.abs(np.log(field[HEAD])).max() < 0.03


def test_the_background_is_no_tissue() -> None:
    shading = np.exp(0.2 * ROWS + 0 * COLUMNS).astype(np.float32)
    lifted = bias_field(tissue() * shading + 3, HEAD, 3.0)
    np.testing.assert_allclose(lifted, bias_field(tissue() * shading, HEAD, 0.0), rtol=1e-3)


def test_too_small_a_head_is_left_alone() -> None:
    speck = np.hypot(ROWS, COLUMNS) < 0.05
    assert (bias_field(tissue(), speck, 0.0) == 1).all()
    assert (bias_field(np.zeros((SIDE, SIDE), np.float32), HEAD, 0.0) == 1).all()
