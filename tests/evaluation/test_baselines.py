from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from atypia.evaluation.baselines import Baselines, compare, measure_baseline, measure_baselines
from atypia.evaluation.verdicts import Verdicts
from atypia.reading.row import Row
from atypia.scalars import TRIVIAL

N = 80


def judged(scores: np.ndarray) -> Verdicts:
    labels = np.arange(N) >= N // 2
    groups = tuple(f"g{place // 2}" for place in range(N))
    names = tuple(map(str, range(N)))
    return Verdicts(names, (None,) * N, scores, np.full(N, 0.5), labels, scores > 0, groups)


@pytest.fixture
def verdicts(rng: np.random.Generator) -> Verdicts:
    return judged(rng.normal(size=N) + 1.5 * (np.arange(N) >= N // 2))


def test_a_baseline_is_taken_in_its_better_direction(verdicts: Verdicts, rng: np.random.Generator) -> None:
    less = rng.normal(size=N) - 0.8 * verdicts.labels
    baseline = measure_baseline("size", "bytes", less, verdicts, 200)
    assert baseline.auroc == pytest.approx(roc_auc_score(verdicts.labels, -less))
    assert not baseline.higher
    assert baseline.interval[0] < baseline.auroc < baseline.interval[1]
    assert baseline.difference == pytest.approx(
        roc_auc_score(verdicts.labels, verdicts.scores) - baseline.auroc
    )
    assert baseline.beaten == (baseline.difference_interval[0] > 0)


def test_what_equals_the_detector_is_not_beaten(verdicts: Verdicts) -> None:
    baseline = measure_baseline("copy", "the same", 3 * verdicts.scores + 1, verdicts, 200)
    assert baseline.difference_interval == (0.0, 0.0)
    assert baseline.beaten is False


def test_pairing_makes_a_difference_surer_than_two_intervals(verdicts: Verdicts) -> None:
    near = verdicts.scores + 0.05 * np.sin(np.arange(N))
    sampled = compare(verdicts, near, 400)
    width = np.diff(sampled.interval("difference"))[0]
    assert width < 0.3 * np.diff(sampled.interval("detector"))[0]
    detector, other = sampled.values["detector"], sampled.values["other"]
    np.testing.assert_allclose(sampled.values["difference"], detector - other)


def test_scans_without_the_number_are_left_out_of_both(verdicts: Verdicts, rng: np.random.Generator) -> None:
    values = rng.normal(size=N)
    values[:10] = np.nan
    baseline = measure_baseline("odd", "x", values, verdicts, 50)
    assert baseline.scans == N - 10
    area = roc_auc_score(verdicts.labels[10:], verdicts.scores[10:])
    assert baseline.difference == pytest.approx(area - baseline.auroc)


@pytest.mark.parametrize("values", [np.full(N, np.nan), np.where(np.arange(N) < N // 2, 1.0, np.nan)])
def test_a_number_that_no_scan_of_a_label_has_is_undefined(verdicts: Verdicts, values: np.ndarray) -> None:
    baseline = measure_baseline("none", "x", values, verdicts, 50)
    assert math.isnan(baseline.auroc)
    assert baseline.beaten is None
    assert Baselines((baseline,)).best is None


def test_a_constant_number_is_a_guess(verdicts: Verdicts) -> None:
    baseline = measure_baseline("flat", "x", np.ones(N), verdicts, 50)
    assert (baseline.auroc, baseline.interval) == (0.5, (0.5, 0.5))


def test_the_trivial_numbers_of_real_files_are_measured(tmp_path: Path, rng: np.random.Generator) -> None:
    """The abnormal pictures are larger: nobody has to be praised for telling them apart."""
    rows = []
    for place in range(N):
        side = 40 if place < N // 2 else 50
        path = tmp_path / f"{place}.png"
        Image.fromarray(rng.integers(0, 255, (side, side)).astype(np.uint8)).save(path)
        rows.append(Row(path, str(place)))
    rows[0].path.write_text("no picture")
    found = measure_baselines(judged(rng.normal(size=N)), rows, 100)
    assert tuple(baseline.name for baseline in found.of) == TRIVIAL
    assert found.unreadable == 1
    sizes = next(baseline for baseline in found.of if baseline.name == "pixel_count")
    assert (sizes.auroc, sizes.higher, sizes.scans, sizes.beaten) == (1.0, True, N - 1, False)
    assert 0.8 < sizes.interval[0] < sizes.interval[1] == 1.0
    assert found.best is not None
    assert found.best.auroc == 1.0
