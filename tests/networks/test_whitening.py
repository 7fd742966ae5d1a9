from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atypia.networks.whitening import Whitening


def mixed(seed: int, rows: int = 400, channels: int = 6) -> np.ndarray:
    rng = np.random.default_rng(seed)
    # Directions whose variances single precision can hold beside each other.
    mixing = np.linalg.qr(rng.normal(size=(channels, channels)))[0] * rng.uniform(0.5, 5, channels)
    return (rng.gamma(2, 1, (rows, channels)) @ mixing + rng.normal(0, 5, channels)).astype(np.float32)


@given(st.integers(0, 1000), st.integers(1, 6))
def test_what_comes_out_is_centred_uncorrelated_and_of_unit_variance(seed, components):
    features = mixed(seed)
    out = Whitening.learn(features, components)(features)
    assert out.shape == (len(features), components)
    assert np.allclose(out.mean(axis=0), 0, atol=1e-2)
    assert np.allclose(out.T @ out / len(out), np.eye(components), atol=2e-2)


def test_the_kept_directions_are_those_of_most_variance():
    features = mixed(0)
    kept = Whitening.learn(features, 2)
    centred = features - features.mean(axis=0)
    largest = np.linalg.svd(centred, full_matrices=False)[1][:2] ** 2 / len(features)
    directions = kept.matrix / np.linalg.norm(kept.matrix, axis=0)
    assert np.allclose((centred @ directions).var(axis=0), largest, rtol=1e-3)


def test_few_rows_of_many_channels_are_whitened_the_same_way():
    """Fewer rows than channels: the eigenvectors come by the rows' own products."""
    features = np.random.default_rng(0).normal(size=(12, 50)).astype(np.float32)
    out = Whitening.learn(features, 50)(features)
    assert out.shape == (12, 11)
    assert np.allclose(out.T @ out / 12, np.eye(11), atol=1e-3)
    assert np.allclose(out.mean(axis=0), 0, atol=1e-3)
    largest = np.linalg.svd(features - features.mean(axis=0))[1][:11] ** 2 / 12
    scale = np.linalg.norm(Whitening.learn(features, 50).matrix, axis=0)
    assert np.allclose(scale, 1 / np.sqrt(largest), rtol=1e-3)


@pytest.mark.parametrize(("rows", "asked", "kept"), [(400, 99, 6), (4, 6, 3), (2, 6, 1)])
def test_no_more_directions_than_there_are(rows, asked, kept):
    whitening = Whitening.learn(mixed(0, rows), asked)
    assert whitening.matrix.shape == (6, kept)
    assert np.isfinite(whitening.matrix).all()


def test_features_that_never_vary_stay_finite():
    for rows in (50, 3):
        whitening = Whitening.learn(np.ones((rows, 4), np.float32), 4)
        assert np.allclose(whitening(np.ones((3, 4), np.float32)), 0)


def test_maps_are_projected_cell_by_cell():
    features = mixed(0)
    whitening = Whitening.learn(features, 3)
    maps = features[:32].reshape(2, 4, 4, 6)
    assert whitening(maps).dtype == np.float32
    assert np.array_equal(whitening(maps).reshape(32, 3), whitening(features[:32]))
