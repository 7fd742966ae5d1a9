from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from atypia.evaluation.metrics import dice
from atypia.evaluation.pixel_histogram import PixelHistogram

Maps = tuple[np.ndarray, np.ndarray]


def random_maps(seed: int, scale: float, ties: bool) -> Maps:
    """Return six heat maps (6, 24, 20) of either sign, with masks that they partly find."""
    rng = np.random.default_rng(seed)
    masks = rng.random((6, 24, 20)) < 0.1
    maps = rng.normal(size=masks.shape) + 1.5 * masks
    if ties:
        maps = np.round(maps)
    return (maps * scale).astype(np.float32), masks


def histogram(maps: np.ndarray, masks: np.ndarray) -> PixelHistogram:
    counted = PixelHistogram()
    for heatmap, mask in zip(maps, masks, strict=True):
        counted.add(heatmap, mask if mask.any() else None)
    return counted


@given(st.integers(0, 10_000), st.sampled_from([1e-6, 1.0, 4e4]), st.booleans())
@settings(max_examples=25, deadline=None)
def test_areas_and_dice_agree_with_exact_figures(seed: int, scale: float, ties: bool) -> None:
    maps, masks = random_maps(seed, scale, ties)
    counted = histogram(maps, masks)
    assert counted.auroc() == pytest.approx(roc_auc_score(masks.ravel(), maps.ravel()), abs=1e-3)
    exact = average_precision_score(masks.ravel(), maps.ravel())
    assert counted.average_precision() == pytest.approx(exact, abs=1e-3)
    best, threshold = counted.best_dice()
    assert best == pytest.approx(dice(maps >= threshold, masks), abs=1e-3)
    assert best >= max(dice(maps >= value, masks) for value in np.quantile(maps, [0.7, 0.8, 0.9])) - 1e-3
    assert counted.dice(threshold) == best


def test_counts_every_pixel_once(rng: np.random.Generator) -> None:
    maps, masks = random_maps(3, 1.0, ties=False)
    counted = histogram(maps, masks)
    counted.add(rng.random((7, 5)))
    assert counted.abnormal == masks.sum()
    assert counted.normal == (~masks).sum() + 35


def test_order_of_bins_is_the_order_of_scores() -> None:
    scores = np.array([-3e38, -2.0, -1e-40, -0.0, 0.0, 1e-45, 1e-3, 1.0, 1.01, 3e38], dtype=np.float32)
    counted = PixelHistogram()
    counted.add(scores[None])
    values = counted.tally().values
    assert (np.diff(values) > 0).all()
    assert len(values) == 8  # the two zeros are one score, and the tiniest denormals fall in with them
    assert (values <= np.unique(scores[[0, 1, 2, 4, 6, 7, 8, 9]])).all()


def test_a_perfect_map_reaches_one() -> None:
    mask = np.zeros((8, 8), bool)
    mask[2:5, 3:6] = True
    counted = PixelHistogram()
    counted.add(mask * 5.0, mask)
    assert counted.auroc() == counted.average_precision() == 1
    assert counted.best_dice() == (1.0, 5.0)
    assert counted.dice(1.0) == 1
    assert counted.dice(6.0) == 0


def test_without_abnormal_pixels_the_figures_are_nan() -> None:
    counted = PixelHistogram()
    counted.add(np.ones((4, 4)))
    figures = [counted.auroc(), counted.average_precision(), *counted.best_dice(), counted.dice(0.5)]
    assert all(math.isnan(figure) for figure in figures)


def test_bad_maps_are_refused_and_not_counted() -> None:
    counted = PixelHistogram()
    with pytest.raises(ValueError, match="finite"):
        counted.add(np.array([[1.0, np.nan]]))
    with pytest.raises(ValueError, match=r"mask of \(2, 2\)"):
        counted.add(np.ones((2, 2)), np.ones((2, 3), bool))
    assert counted.normal == counted.abnormal == 0
