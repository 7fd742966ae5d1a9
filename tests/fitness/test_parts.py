"""The look, the distance and the rule for CT, each by itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atypia.fitness.canvas import SIDE, small_canvas
from atypia.fitness.familiar import Familiar
from atypia.fitness.look import look_at
from atypia.fitness.tomography import UNKNOWN, ct_index, ring_measures


def test_ct_and_mri_stand_far_apart(drawn):
    for ct, low, high in ((True, 0.0, 2.0), (False, UNKNOWN, -1.0)):
        heads = drawn(10, 4, ct=ct)
        for pixels, head in zip(heads.pixels, heads.foreground, strict=True):
            assert low < ct_index(*small_canvas(pixels, head)) <= high or (
                ct_index(*small_canvas(pixels, head)) == UNKNOWN and not ct
            )


def test_a_head_too_small_to_tell_is_unknown():
    head = np.zeros((SIDE, SIDE), bool)
    head[3:8, 3:8] = True
    assert ring_measures(np.ones((SIDE, SIDE), np.float32), head) is None
    assert ct_index(np.ones((SIDE, SIDE), np.float32), head) == UNKNOWN


@settings(max_examples=20, deadline=None)
@given(st.floats(0.1, 10), st.floats(-1, 1), st.integers(0, 5))
def test_the_small_canvas_forgets_scale_and_offset(drawn, scale, offset, number):
    heads = drawn(6, 8)
    plain, _ = small_canvas(heads.pixels[number], heads.foreground[number])
    changed, _ = small_canvas(
        (scale * heads.pixels[number] + offset).astype(np.float32), heads.foreground[number]
    )
    np.testing.assert_allclose(changed, plain, atol=2e-3)


def test_a_scan_without_head_or_contrast_has_a_canvas_too():
    canvas, head = small_canvas(np.full((64, 64), 0.3, np.float32), np.zeros((64, 64), bool))
    assert canvas.shape == (SIDE, SIDE)
    assert not canvas.any()
    assert head.all()


def test_looks_do_not_hang_on_their_batch(drawn):
    heads = drawn(6, 9)
    together = look_at(heads.pixels, heads.foreground, 1)
    alone = look_at(heads.pixels[2:3], heads.foreground[2:3], 1)
    np.testing.assert_allclose(alone.features[0], together.features[2], atol=1e-4)
    assert alone.noise[0] == together.noise[2]
    assert alone.ct[0] == together.ct[2]


def test_noise_is_told_about_right(drawn, rng):
    heads = drawn(4, 9, size=224)
    noisy = (heads.pixels + rng.normal(0, 0.1, heads.pixels.shape)).astype(np.float32)
    assert look_at(noisy, heads.foreground, 1).noise == pytest.approx(0.1, rel=0.15)


def test_distance_grows_away_from_what_was_learned(rng):
    learned = rng.normal(size=(60, 300)).astype(np.float32)
    familiar = Familiar.learn(learned)
    line = np.linspace(0, 30, 20)[:, None] * rng.normal(size=300)
    distances = familiar.distance((familiar.mean + line).astype(np.float32))
    assert distances[0] == pytest.approx(0, abs=1e-3)
    assert (np.diff(distances) > 0).all()


def test_the_kept_directions_stand_for_the_whole_covariance(rng):
    from sklearn.covariance import LedoitWolf

    learned = (rng.normal(size=(400, 30)) * np.linspace(1, 3, 30)).astype(np.float32)
    asked = rng.normal(size=(5, 30)).astype(np.float32) * 4
    familiar = Familiar.learn(learned)
    standard = (learned - familiar.mean) / familiar.scale
    whole = LedoitWolf(assume_centered=True).fit(standard)
    expected = np.sqrt(whole.mahalanobis((asked - familiar.mean) / familiar.scale) / 30)
    np.testing.assert_allclose(familiar.distance(asked), expected, rtol=0.02)
