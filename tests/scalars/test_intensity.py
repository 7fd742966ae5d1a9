from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from atypia.scalars import measure_row


def test_a_lesion_on_one_side_is_asymmetric_and_bright(draw_heads, save):
    healthy, _ = draw_heads(6, 128, seed=1)
    ill, _ = draw_heads(6, 128, seed=1, lesion=0.6)
    before = [measure_row(save(pixels * 0.9, f"{n}.png")) for n, pixels in enumerate(healthy)]
    after = [measure_row(save(pixels * 0.9, f"{n}.png")) for n, pixels in enumerate(ill)]
    for name in ("asymmetry", "interior_p98"):
        assert all(b[name] > a[name] for a, b in zip(before, after, strict=True)), name


def test_a_mirrored_head_is_as_asymmetric(head, save):
    found, mirrored = measure_row(save(head)), measure_row(save(head[:, ::-1], "b.png"))
    assert mirrored["asymmetry"] == pytest.approx(found["asymmetry"], abs=0.01)


def test_a_blurred_head_is_less_sharp(head, save):
    blurred = gaussian_filter(head, 2)
    assert measure_row(save(blurred, "b.png"))["sharpness"] < 0.85 * measure_row(save(head))["sharpness"]


def test_percentiles_are_in_order_and_follow_the_brightness(head, save):
    names = ["head_p05", "head_p25", "head_p50", "head_p75", "head_p95", "head_p99"]
    bright, dark = measure_row(save(head)), measure_row(save(head / 2, "b.png"))
    assert (np.diff([bright[name] for name in names]) >= 0).all()
    assert dark["head_p75"] == pytest.approx(bright["head_p75"] / 2, abs=0.01)
    assert dark["interior_p98"] == pytest.approx(bright["interior_p98"], abs=0.03)
