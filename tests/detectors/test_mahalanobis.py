from __future__ import annotations

import numpy as np
import pytest
from sklearn.covariance import LedoitWolf

from atypia.detectors.mahalanobis import FLOOR, PlaceGaussians, WholeGaussian, shrinkage


def fourth_of(centred):
    return ((centred**2).sum(-1) ** 2).mean()


@pytest.mark.parametrize("count", [12, 60, 1000])
def test_shrinkage_is_that_of_ledoit_and_wolf(count, rng):
    rows = rng.normal(size=(count, 8)) * np.linspace(0.2, 3, 8)
    reference = LedoitWolf().fit(rows)
    centred = rows - rows.mean(axis=0)
    found = shrinkage(centred.T @ centred / count, fourth_of(centred), count)
    assert float(found) == pytest.approx(reference.shrinkage_, rel=1e-6)


@pytest.mark.parametrize(("count", "width"), [(200, 8), (20, 50)])
def test_a_whole_scan_is_as_far_as_the_shrunk_covariance_says(count, width, rng):
    rows = (rng.normal(size=(count, width)) * np.linspace(0.5, 3, width)).astype(np.float32)
    strange = (3 * rng.normal(size=(5, width))).astype(np.float32)
    reference = LedoitWolf().fit(rows)
    centred = strange - reference.location_
    precision = np.linalg.inv(reference.covariance_)
    if count < width:  # what the healthy never do has at least a floor's variance
        assert reference.shrinkage_ > FLOOR
    expected = np.sqrt(np.einsum("ni,ij,nj->n", centred, precision, centred) / width)
    assert np.allclose(WholeGaussian.learn(rows).distances(strange), expected, rtol=1e-3)


def test_healthy_scans_are_near_one_and_more_directions_than_are_kept_are_summed_up(rng):
    rows = rng.normal(size=(600, 300)).astype(np.float32)
    whole = WholeGaussian.learn(rows)
    assert whole.directions.shape == (300, 128)
    assert whole.distances(rows).mean() == pytest.approx(1, abs=0.05)


@pytest.fixture
def places(rng):
    cells = rng.normal(size=(300, 4, 4, 6)) * np.linspace(0.5, 2, 6) + rng.normal(size=(4, 4, 6))
    mean = cells.mean(axis=0)
    centred = cells - mean
    covariance = np.einsum("nabi,nabj->abij", centred, centred) / len(cells)
    fourth = ((centred**2).sum(-1) ** 2).mean(axis=0)
    return cells.astype(np.float32), PlaceGaussians.of(mean, covariance, fourth, len(cells))


def test_healthy_cells_are_near_one_deviation(places):
    cells, gaussians = places
    apart = gaussians.distances(cells, reach=0)
    assert apart.shape == (300, 4, 4)
    assert np.sqrt((apart**2).mean()) == pytest.approx(1, abs=0.06)
    assert gaussians.distances(cells + 5, reach=0).min() > apart.mean()


def test_a_place_may_lend_its_neighbour_its_gaussian(places):
    """Cells moved by one place are strange with a reach of 0, and not with one of 1."""
    cells, gaussians = places
    moved = np.roll(cells, 1, axis=1)
    strict, lenient = (gaussians.distances(moved, reach)[:, 1:] for reach in (0, 1))
    home = gaussians.distances(cells, 0)[:, :-1]
    assert (lenient <= home + 1e-4).all()
    assert strict.mean() > lenient.mean() + 0.1


def test_a_place_without_variance_stays_finite():
    mean, covariance = np.zeros((2, 2, 3)), np.zeros((2, 2, 3, 3))
    covariance[0] = np.eye(3)
    gaussians = PlaceGaussians.of(mean, covariance, np.zeros((2, 2)), 10)
    assert np.isfinite(gaussians.distances(np.ones((1, 2, 2, 3), np.float32), 0)).all()
