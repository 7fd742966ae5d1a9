from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from atypia.evaluation.metrics import dice
from atypia.evaluation.pixel_counts import PixelCounts
from atypia.evaluation.pixel_groups import MOST
from atypia.evaluation.resampling import GroupBootstrap

THRESHOLD = 1.2


def draw(rng: np.random.Generator, scans: int, spread: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return maps and masks (N, 20, 24); every third scan is normal."""
    masks = rng.random((scans, 20, 24)) < 0.1
    masks[::3] = False
    maps = np.abs(rng.normal(size=masks.shape)) * spread + 1.2 * masks
    return maps.astype(np.float32), masks


def counted(maps: np.ndarray, masks: np.ndarray, size: int, threshold: float = THRESHOLD) -> PixelCounts:
    """Count scans, `size` of them to a group."""
    counts = PixelCounts(threshold)
    for place, (heatmap, mask) in enumerate(zip(maps, masks, strict=True)):
        truth = mask if mask.any() else None
        counts.add(f"g{place // size:03}", heatmap, truth, abnormal=bool(mask.any()))
    return counts


def test_intervals_are_those_of_a_plain_loop_over_groups(rng: np.random.Generator) -> None:
    """Pixels of the groups drawn are pooled and measured exactly, resample by resample."""
    maps, masks = draw(rng, 24)
    metrics = counted(maps, masks, 2).metrics(200)
    assert metrics is not None
    groups = [f"g{place // 2:03}" for place in range(24)]
    bootstrap = GroupBootstrap.of(groups, masks.any(axis=(1, 2)), resamples=200)
    areas, precisions, overlaps = [], [], []
    for weight in np.concatenate(list(bootstrap.weights())):
        places = np.repeat(np.arange(24), weight.astype(int))
        truth, values = masks[places].ravel(), maps[places].ravel()
        areas.append(roc_auc_score(truth, values))
        precisions.append(average_precision_score(truth, values))
        overlaps.append(dice(values >= THRESHOLD, truth))
    for name, values in (("auroc", areas), ("average_precision", precisions), ("dice", overlaps)):
        expected = tuple(np.quantile(values, [0.025, 0.975]))
        assert metrics.interval(name) == pytest.approx(expected, abs=4e-3)
    for name, (low, high) in metrics.intervals.items():
        assert low <= metrics.figures[name] <= high


def test_more_groups_make_pixel_figures_surer(rng: np.random.Generator) -> None:
    few = counted(*draw(rng, 12), 1).metrics(300)
    many = counted(*draw(rng, 96), 1).metrics(300)
    assert few is not None
    assert many is not None
    for name in ("auroc", "average_precision", "aupro", "dice"):
        assert np.diff(many.interval(name)) < np.diff(few.interval(name))


def test_scores_of_many_sizes_are_joined_into_few_bins(rng: np.random.Generator) -> None:
    maps, masks = draw(rng, 9)
    maps = (maps * 10.0 ** rng.uniform(-30, 30, maps.shape)).astype(np.float32)
    counts = counted(maps, masks, 1)
    table = counts._groups.table([f"g{place:03}" for place in range(9)])
    assert table.abnormal.shape[1] <= MOST
    assert table.abnormal.sum() == masks.sum()
    assert table.normal.sum() == (~masks).sum()
    metrics = counts.metrics(50)
    assert metrics is not None
    low, high = metrics.interval("auroc")
    assert low <= metrics.auroc <= high


def test_without_a_threshold_there_is_no_dice_and_no_lesion_figure(rng: np.random.Generator) -> None:
    metrics = counted(*draw(rng, 9), 1, threshold=math.nan).metrics(50)
    assert metrics is not None
    assert math.isnan(metrics.dice)
    assert math.isnan(metrics.interval("dice")[0])
    assert metrics.lesions is None
    assert 0 < metrics.aupro < 1


def test_one_group_has_figures_and_no_interval(rng: np.random.Generator) -> None:
    metrics = counted(*draw(rng, 6), 6).metrics(50)
    assert metrics is not None
    assert 0 < metrics.auroc < 1
    assert all(math.isnan(low) for low, _ in metrics.intervals.values())
    assert metrics.lesions is not None
    assert all(math.isnan(low) for low, _ in metrics.lesions.intervals.values())


def test_only_normal_scans_give_no_pixel_figures(rng: np.random.Generator) -> None:
    maps, masks = draw(rng, 6)
    assert counted(maps[::3], masks[::3], 1).metrics(50) is None


def test_a_group_costs_kilobytes_however_many_scans_it_has(rng: np.random.Generator) -> None:
    counts = counted(*draw(rng, 60), 60)
    (bins,), (stored,) = counts._groups._bins.values(), counts._groups._counts.values()
    assert bins.nbytes + stored.nbytes < 32 * 1024
