from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from atypia.detectors import Batch
from atypia.detectors.base import Scores
from atypia.detectors.healthy_scale import MapScale
from atypia.detectors.member_trial import (
    SIDE,
    Trial,
    _auroc,
    _average_precision,
    trial_of,
    try_members,
    with_lesions,
)

IDENTITY = MapScale(np.array([0.0, 4.0]), np.array([0.0, 4.0]))


class Stub:
    """A detector of which only `score` is asked."""

    def __init__(self, score) -> None:
        self.score = score


def bright(batch):
    """What is brighter than usual tissue."""
    heat = np.maximum(batch.tissue - 1.5, 0) * batch.brain
    return Scores(heat.max((1, 2)).astype(np.float64), heat.astype(np.float32))


def blind(batch):
    return Scores(np.zeros(len(batch)), np.ones(batch.pixels.shape, np.float32))


def backwards(batch):
    found = bright(batch)
    return Scores(-found.image, (4 - found.map).astype(np.float32))


def test_the_figures_are_those_of_scikit_learn(rng):
    healthy, ill = rng.normal(size=30), rng.normal(1, size=20).round(1)
    truth = np.repeat([0, 1], [30, 20])
    assert _auroc(healthy, ill) == pytest.approx(roc_auc_score(truth, np.concatenate([healthy, ill])))
    assert _auroc(np.zeros(5), np.zeros(4)) == 0.5
    heat, mask = rng.random((3, 8, 8), dtype=np.float32), rng.random((3, 8, 8)) < 0.2
    assert _average_precision(heat, mask) == pytest.approx(
        average_precision_score(mask.ravel(), heat.ravel())
    )
    assert _average_precision(heat, np.zeros_like(mask)) == 0


def test_who_sees_lesions_does_better_than_who_does_not(healthy):
    members = [Stub(bright), Stub(blind), Stub(backwards)]
    seeing, blinded, wrong = try_members(members, [IDENTITY] * 3, healthy, seed=1)
    assert seeing.auroc > 0.6
    assert blinded.auroc == 0.5
    assert wrong.auroc < 0.5
    assert seeing.precision > 3 * blinded.precision
    assert seeing.precision > 3 * wrong.precision
    assert seeing.weight == seeing.precision
    assert [seeing] == try_members(members[:1], [IDENTITY], healthy, seed=1)
    assert [seeing] != try_members(members[:1], [IDENTITY], healthy, seed=2)


def test_of_one_detector_the_order_alone_counts(healthy):
    def stretched(batch):
        found = bright(batch)
        return Scores(np.exp(found.image) - 7, np.sqrt(found.map))

    assert healthy.batch(np.arange(1)).pixels.shape[-1] % SIDE  # the maps are brought to SIDE, interpolated
    trial = trial_of(Stub(bright), healthy, seed=1)
    assert trial == try_members([Stub(bright)], [lambda heat: heat], healthy, seed=1)[0]
    other = trial_of(Stub(stretched), healthy, seed=1)
    assert other.auroc == trial.auroc
    assert other.precision == pytest.approx(trial.precision, abs=0.03)


def test_at_the_resolution_of_the_trial_no_increasing_function_changes_it(heads_of, draw_heads):
    healthy = type(heads_of(1))(*draw_heads(8, size=SIDE))

    def stretched(batch):
        found = bright(batch)
        return Scores(found.image**3, found.map + found.map**2)

    trial, other = (trial_of(Stub(score), healthy, seed=2) for score in (bright, stretched))
    assert other.auroc == trial.auroc
    assert other.precision == pytest.approx(trial.precision, abs=1e-4)


def test_at_most_so_many_scans_are_looked_at(healthy, monkeypatch):
    monkeypatch.setattr("atypia.detectors.member_trial.MOST_SCANS", 6)
    looked = []

    class Many:
        def __len__(self):
            return 500

        def batch(self, indices):
            looked.extend(indices.tolist())
            return healthy.batch(indices % 4)

    try_members([Stub(blind)], [IDENTITY], Many(), seed=0)
    assert len(set(looked)) == len(looked) == 6


def test_scans_change_where_lesions_are_and_hardly_elsewhere(heads_of, rng):
    batch = heads_of(12).batch(np.arange(12))
    ill, mask = with_lesions(batch, rng)
    assert (mask.shape, mask.dtype) == ((12, SIDE, SIDE), np.bool_)
    assert mask.any((1, 2)).mean() > 0.5
    assert ill.pixels.dtype == np.float32
    assert ((ill.pixels >= 0) & (ill.pixels <= 1)).all()
    assert np.array_equal(ill.foreground, batch.foreground)
    assert np.array_equal(ill.brain, batch.brain)
    outside = ~batch.foreground
    assert np.array_equal(ill.pixels[outside], batch.pixels[outside])


def test_what_is_brighter_than_the_brightest_tissue_stays_as_it_was(heads_of, rng):
    scans = heads_of(6).batch(np.arange(6))
    pixels = scans.pixels * 0.2
    pixels[:, 6:9, 30:34] = 0.9  # scalp, more than four times as bright as the brain
    ill, _ = with_lesions(Batch(pixels, scans.foreground, scans.brain), rng)
    assert np.allclose(ill.pixels[:, 6:9, 30:34], 0.9, atol=0.05)


def test_a_trial_is_plain_numbers():
    trial = Trial(0.9, 0.5)
    assert Trial.from_dict(trial.to_dict()) == trial
    with pytest.raises(TypeError):
        Trial.from_dict({"auroc": 1.0})
