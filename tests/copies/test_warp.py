import numpy as np
from scipy import ndimage

from atypia.copies.warp import positions, smoothed, warped

PICTURES = np.random.default_rng(0).normal(size=(2, 16, 16)).astype(np.float32)


def test_the_frame_that_changes_nothing_gives_the_pictures_back():
    seen, inside = warped(PICTURES, np.array([[1, 0, 1, 0]] * 2, np.float32))
    assert np.allclose(seen, PICTURES, atol=1e-5)
    assert inside.all()


def test_a_shift_by_one_pixel_reads_the_next_and_tells_what_it_cannot_see():
    seen, inside = warped(PICTURES, np.array([[1, 2 / 16, 1, 0]] * 2, np.float32))
    assert np.allclose(seen[:, :-1], PICTURES[:, 1:], atol=1e-5)
    assert inside[:, :-1].all()
    assert not inside[:, -1].any()


def test_the_axes_stretch_apart():
    ramp = np.broadcast_to(positions(16), (1, 16, 16))
    seen, _ = warped(ramp, np.array([[1, 0, 0.5, 0.1]], np.float32))
    assert np.allclose(seen[0, 0], 0.5 * positions(16) + 0.1, atol=1e-5)
    down, _ = warped(np.swapaxes(ramp, 1, 2), np.array([[0.5, 0.1, 1, 0]], np.float32))
    assert np.allclose(down[0, :, 0], 0.5 * positions(16) + 0.1, atol=1e-5)


def test_smoothing_is_gaussian_and_keeps_what_is_flat():
    assert np.allclose(smoothed(np.full((1, 16, 16), 3, np.float32), 2.0), 3, atol=1e-4)
    expected = ndimage.gaussian_filter(PICTURES, (0, 1, 1))
    assert np.allclose(smoothed(PICTURES, 1.0)[:, 5:-5, 5:-5], expected[:, 5:-5, 5:-5], atol=1e-3)
