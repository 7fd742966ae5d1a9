"""Windows of intensity, and the way to [0, 1]."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from atypia.preparation.intensity import full_scale, rescale, robust_window

VALUES = arrays(np.float32, st.integers(2, 60), elements=st.integers(-999, 999))


@given(values=VALUES, low=st.floats(0, 49), high=st.floats(51, 100))
def test_a_robust_window_lies_at_its_percentiles(values: np.ndarray, low: float, high: float) -> None:
    first, last = robust_window(values, low, high)
    assert {first, last} <= set(values.tolist())
    assert first == np.percentile(values, low, method="nearest") or values.size % 2 == 0 or low > 0
    assert np.mean(values < first) <= low / 100 + 1 / values.size
    assert np.mean(values > last) <= 1 - high / 100 + 1 / values.size


@given(values=VALUES)
def test_the_whole_range_is_a_robust_window(values: np.ndarray) -> None:
    assert robust_window(values, 0, 100) == (values.min(), values.max())


@pytest.mark.parametrize(
    ("highest", "scale"), [(0.7, 1), (1, 1), (200, 255), (255, 255), (256, 65535), (70000, 70000), (0, 1)]
)
def test_the_full_scale_follows_the_maximum(highest: float, scale: float) -> None:
    assert full_scale(np.array([[0, highest]], np.float32)) == (0.0, scale)


@given(values=VALUES, low=st.floats(-500, 0), width=st.floats(1, 500))
def test_rescaled_values_keep_their_order_in_0_to_1(values: np.ndarray, low: float, width: float) -> None:
    result = rescale(np.sort(values), (low, low + width))
    assert result.dtype == np.float32
    assert (np.diff(result) >= 0).all()
    assert ((result >= 0) & (result <= 1)).all()
