import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atypia.datasets.phantom.fields import blend, fractal_field, smooth_field, smoothstep

shapes = st.tuples(st.integers(24, 80), st.integers(24, 80))


@given(seed=st.integers(0, 2**32), shape=shapes, scale=st.floats(2, 60))
def test_a_smooth_field_has_zero_mean_unit_variance_and_the_shape_asked_for(seed, shape, scale):
    field = smooth_field(np.random.default_rng(seed), shape, scale)
    assert field.shape == shape
    assert field.dtype == np.float32
    assert field.mean() == pytest.approx(0, abs=1e-4)
    assert field.std() == pytest.approx(1, abs=1e-3)


def test_a_larger_scale_gives_a_smoother_field():
    def roughness(scale):
        field = smooth_field(np.random.default_rng(3), (128, 128), scale)
        return np.abs(np.diff(field, axis=0)).mean()

    assert roughness(4) > 2 * roughness(16) > 4 * roughness(64)


def test_the_same_generator_gives_the_same_field_bit_for_bit():
    one, two = (fractal_field(np.random.default_rng(5), (60, 90), 20) for _ in range(2))
    assert np.array_equal(one, two)
    assert one.std() == pytest.approx(1, abs=1e-4)


@given(low=st.floats(-5, 5), width=st.floats(0.1, 5))
def test_smoothstep_rises_from_nought_to_one_and_falls_when_turned_round(low, width):
    x = np.linspace(low - 1, low + width + 1, 50, dtype=np.float32)
    rise = smoothstep(x, low, low + width)
    assert rise[0] == 0
    assert rise[-1] == 1
    assert (np.diff(rise) >= -1e-6).all()
    assert smoothstep(x, low + width, low) == pytest.approx(1 - rise, abs=1e-4)


def test_blend_keeps_covers_or_mixes():
    below, above = np.full(3, 2, np.float32), np.full(3, 6, np.float32)
    assert blend(below, np.array([0, 0.5, 1], np.float32), above).tolist() == [2, 4, 6]
