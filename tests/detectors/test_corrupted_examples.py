from __future__ import annotations

import numpy as np
import pytest

from atypia.detectors.canvases import Canvases
from atypia.detectors.corrupted_examples import CorruptedExamples
from atypia.networks.corruption import Corrupted, corrupt


@pytest.fixture
def canvases(heads_of, tmp_path):
    return Canvases(heads_of(6), tmp_path, 2)


def halve(scan, other, head, brain, rng):
    del other, rng
    return Corrupted(scan / 2, 0.25, brain.astype(np.float32) * head)


def test_the_input_is_the_corrupted_scan_with_its_strength_and_the_truth_the_healthy_one(canvases):
    examples = CorruptedExamples(canvases, halve, told=True, seed=1)
    (inputs,), truth = examples.get(np.array([4, 0, 2]), 3)
    assert (inputs.shape, truth.shape) == ((3, 32, 32, 2), (3, 32, 32, 2))
    assert inputs.dtype == truth.dtype == np.float32
    assert np.allclose(inputs[..., 0], truth[..., 0] / 2)
    assert (inputs[..., 1] == 0.25).all()
    assert set(np.unique(truth[..., 1])) == {0, 1, 10}
    (alone,), _ = CorruptedExamples(canvases, halve, told=False, seed=1).get(np.array([4, 0, 2]), 3)
    assert np.array_equal(alone, inputs[..., :1])


def test_a_copy_follows_from_seed_pass_and_scan_alone(canvases):
    examples = CorruptedExamples(canvases, corrupt, told=True, seed=1)
    (inputs,), truth = examples.get(np.array([4, 0, 2]), 3)
    (again,), same = CorruptedExamples(canvases, corrupt, told=True, seed=1).get(np.array([2, 5]), 3)
    assert np.array_equal(again[0], inputs[2])
    assert np.array_equal(same[0], truth[2])
    others = (
        examples.get(np.array([2]), 4)[1],
        CorruptedExamples(canvases, corrupt, True, 2).get(np.array([2]), 3)[1],
    )
    assert all(not np.allclose(other[0], truth[2]) for other in others)
    assert examples.fingerprint == canvases.fingerprint
    assert len(examples) == 6
