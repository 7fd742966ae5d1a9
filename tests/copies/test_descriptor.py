import numpy as np
import pytest

from atypia.copies.candidates import find_candidates
from atypia.copies.descriptor import learn_descriptor, waves_of
from atypia.copies.pose import INVERSE, POSES, posed
from atypia.copies.thumbnail import halved, shrink


@pytest.fixture(scope="module")
def small(draw_pictures):
    return np.stack([halved(shrink(picture.astype(np.float32))) for picture in draw_pictures(20)])


@pytest.fixture(scope="module")
def descriptor(small):
    return learn_descriptor(small, waves_of(small), np.random.default_rng(0))


def test_distances_do_not_depend_on_a_shared_pose(small, descriptor):
    waves = waves_of(small)
    plain = np.linalg.norm(descriptor(waves[:10]) - descriptor(waves[10:]), axis=1)
    for pose in range(len(POSES)):
        turned = np.linalg.norm(descriptor(waves[:10], pose) - descriptor(waves[10:], pose), axis=1)
        assert np.allclose(turned, plain, rtol=0.02)


def test_brightness_and_contrast_change_no_wave(small):
    assert np.allclose(waves_of(small), waves_of(0.5 * small + 30.0), atol=1e-5)


def test_a_copy_in_each_pose_is_a_candidate_in_that_pose(small, descriptor):
    both = np.concatenate([small[:8], [posed(picture, pose) for pose, picture in enumerate(small[:8])]])
    found = find_candidates(waves_of(both), descriptor, workers=1)
    pairs = set(zip(found.first.tolist(), found.second.tolist(), found.pose.tolist(), strict=True))
    assert {(pose, 8 + pose, pose) for pose in range(8)} <= pairs
    assert all(first < second for first, second, _ in pairs)
    assert len(pairs) == len(found)
    # Found from the other side, the pose is the one that undoes it.
    swapped = find_candidates(waves_of(both[::-1]), descriptor, workers=1)
    pairs = set(zip(swapped.first.tolist(), swapped.second.tolist(), swapped.pose.tolist(), strict=True))
    assert {(7 - pose, 15 - pose, int(INVERSE[pose])) for pose in range(8)} <= pairs
