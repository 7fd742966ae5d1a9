from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import auc

from atypia.evaluation.lesions import OVERLAP, LesionCounts, LesionMetrics, LesionTable
from atypia.evaluation.mask_regions import WHOLE, MaskRegions
from atypia.evaluation.pixel_histogram import PixelHistogram
from atypia.evaluation.weighted import aupro_of

SIDE = 40


def square(top: int, left: int, side: int) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), bool)
    mask[top : top + side, left : left + side] = True
    return mask


def counted(heatmap: np.ndarray, mask: np.ndarray, threshold: float = 1.0) -> LesionTable:
    counts = LesionCounts(threshold)
    counts.add("a", heatmap.astype(np.float32), MaskRegions.of(mask))
    return counts.table(["a"])


def at(table: LesionTable, threshold: float) -> tuple[float, float]:
    place = int(np.flatnonzero(np.isclose(table.thresholds, threshold))[0])
    return float(table.found[0, place]), float(table.false[0, place])


def test_thresholds_grow_from_what_is_usual_past_the_calibrated_one() -> None:
    thresholds = LesionCounts(3.0, usual=1.0).thresholds
    assert (len(thresholds), thresholds[0], thresholds[-1]) == (41, 1.5, 17.0)
    assert 3.0 in thresholds


def test_a_lesion_that_is_covered_is_found_and_other_places_are_false() -> None:
    mask = square(5, 5, 8) | square(25, 25, 6)
    heat = 2.0 * square(6, 6, 8) + 4.0 * square(5, 30, 4)
    table = counted(heat, mask)
    assert (table.lesions[0], table.slices[0]) == (2, 1)
    assert at(table, 1.0) == (1, 1)
    assert at(table, 4.0) == (0, 1)
    assert at(table, 8.0) == (0, 0)


def test_a_map_that_glows_everywhere_finds_no_small_lesion() -> None:
    assert at(counted(np.full((SIDE, SIDE), 2.0), square(5, 5, 8)), 1.0) == (0, 1)


@pytest.mark.parametrize(("side", "found"), [(10, 1), (3, 1), (2, 0)])
def test_an_overlap_of_a_tenth_is_enough(side: int, found: int) -> None:
    """3 x 3 of 9 x 9 pixels are 0.11, 2 x 2 are 0.05; 9 x 9 of 10 x 10 are 0.81."""
    assert OVERLAP == 0.1
    assert at(counted(2.0 * square(5, 5, side), square(5, 5, 9)), 1.0) == (found, 1 - found)


def test_every_place_of_a_healthy_slice_is_false() -> None:
    table = counted(2.0 * (square(2, 2, 3) | square(20, 20, 3)), np.zeros((SIDE, SIDE), bool))
    assert at(table, 1.0) == (0, 2)
    values = table.figures(np.ones((1, 1)))
    assert all(math.isnan(value[0]) for value in values.values())


def test_the_share_at_a_rate_is_the_best_of_the_thresholds_that_keep_it() -> None:
    counts = LesionCounts(1.0)
    for place in range(4):
        mask = square(5, 5, 8) if place < 2 else np.zeros((SIDE, SIDE), bool)
        heat = (3.0 - 1.9 * place) * mask + 1.6 * square(30, 30, 4) * (place != 3)
        counts.add(f"g{place}", heat.astype(np.float32), MaskRegions.of(mask))
    table = counts.table([f"g{place}" for place in range(4)])
    metrics = LesionMetrics.of(table, {})
    assert metrics.at["lesions_at_0.5"] == 0.5
    assert metrics.at["lesions_at_1"] == 1.0
    assert (metrics.lesions, metrics.slices) == (2, 4)
    only_first = table.figures(np.array([[1.0, 0, 0, 1]]))
    assert only_first["lesions_at_0.5"][0] == 1.0


def test_shares_of_a_region_sum_to_one() -> None:
    regions = MaskRegions.of(square(3, 3, 7) | square(20, 20, 3) | square(23, 23, 2))
    assert regions.count == 2  # corners touch
    assert regions.sizes.tolist() == [49, 13]
    shares = regions.shares
    assert shares.sum() / WHOLE == pytest.approx(2, abs=1e-9)


def plain_aupro(maps: np.ndarray, masks: np.ndarray, limit: float = 0.3) -> float:
    """Integrate the mean overlap of the regions over the false-positive rate, threshold by threshold."""
    regions = [
        (place, parts.parts == number)
        for place, parts in enumerate(MaskRegions.of(mask) for mask in masks)
        for number in range(1, parts.count + 1)
    ]
    rates, overlaps = [0.0], [0.0]
    for threshold in np.unique(maps)[::-1]:
        found = maps >= threshold
        rates.append(float((found & ~masks).sum() / (~masks).sum()))
        overlaps.append(float(np.mean([found[place][region].mean() for place, region in regions])))
    at_limit = float(np.interp(limit, rates, overlaps))
    inside = [pair for pair in zip(rates, overlaps, strict=True) if pair[0] < limit]
    x, y = zip(*inside, (limit, at_limit), strict=True)
    return float(auc(x, y) / limit)


@pytest.mark.parametrize("seed", range(4))
def test_aupro_is_that_of_a_plain_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    masks = np.stack([square(5, 5, 6) | square(20, 22, 3), square(10, 10, 9), np.zeros((SIDE, SIDE), bool)])
    maps = np.round(rng.normal(size=masks.shape) + 1.5 * masks, 1).astype(np.float32)
    pixels = PixelHistogram()
    for heatmap, mask in zip(maps, masks, strict=True):
        pixels.add(heatmap, mask)
    assert pixels.regions == 3
    assert pixels.aupro() == pytest.approx(plain_aupro(maps, masks), abs=2e-3)


def test_aupro_of_a_perfect_and_of_a_constant_map() -> None:
    perfect, constant = PixelHistogram(), PixelHistogram()
    perfect.add(square(4, 4, 5) * 2.0, square(4, 4, 5))
    constant.add(np.ones((SIDE, SIDE)), square(4, 4, 5))
    assert perfect.aupro() == pytest.approx(1)
    assert constant.aupro() == pytest.approx(0.15)  # the diagonal, up to 0.3


def test_aupro_without_regions_is_undefined() -> None:
    pixels = PixelHistogram()
    pixels.add(np.ones((4, 4)))
    assert math.isnan(pixels.aupro())
    none = aupro_of(np.zeros((1, 3)), np.ones((1, 3)), np.zeros(1))
    assert math.isnan(none[0])
