import numpy as np
import scipy.fft
from hypothesis import given
from hypothesis import strategies as some

from atypia.copies.pose import INVERSE, POSES, THEN, posed, posed_each, posed_waves

poses = some.integers(0, len(POSES) - 1)
PICTURE = np.random.default_rng(0).normal(size=(6, 6)).astype(np.float32)


def test_the_eight_poses_differ():
    assert len({posed(PICTURE, pose).tobytes() for pose in range(len(POSES))}) == 8


@given(poses)
def test_the_inverse_undoes_a_pose(pose):
    assert np.array_equal(posed(posed(PICTURE, pose), int(INVERSE[pose])), PICTURE)
    assert THEN[pose, INVERSE[pose]] == 0


@given(poses, poses)
def test_one_pose_then_another_is_the_pose_of_the_table(one, other):
    assert np.array_equal(posed(posed(PICTURE, one), other), posed(PICTURE, int(THEN[one, other])))


@given(poses)
def test_waves_turn_as_pictures_do(pose):
    waves = scipy.fft.dctn(PICTURE, norm="ortho")[None]
    turned = scipy.fft.dctn(posed(PICTURE, pose), norm="ortho")
    assert np.allclose(posed_waves(waves, pose)[0], turned, atol=1e-5)


def test_each_picture_takes_its_own_pose():
    three = np.stack([PICTURE] * 3)
    found = posed_each(three, np.array([2, 0, 5]))
    assert np.array_equal(found, np.stack([posed(PICTURE, pose) for pose in (2, 0, 5)]))
