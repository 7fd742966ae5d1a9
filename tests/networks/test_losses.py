from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from atypia.networks import losses


def numpy_blur(picture, sigma):
    """Gaussian weights out to three deviations, those outside the picture left out."""
    kernel = losses.gaussian_kernel(sigma)

    def smooth(values):
        for axis in (0, 1):
            values = ndimage.correlate1d(values, kernel, axis=axis, mode="constant")
        return values

    return smooth(picture.astype(np.float64)) / smooth(np.ones(picture.shape))


def numpy_ssim(x, y):
    """Wang et al. 2004, equation 13, term by term."""
    mean_x, mean_y = numpy_blur(x, 1.5), numpy_blur(y, 1.5)
    var_x = numpy_blur(x.astype(np.float64) ** 2, 1.5) - mean_x**2
    var_y = numpy_blur(y.astype(np.float64) ** 2, 1.5) - mean_y**2
    cov = numpy_blur(x.astype(np.float64) * y, 1.5) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    top = (2 * mean_x * mean_y + c1) * (2 * cov + c2)
    return top / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))


@pytest.fixture
def pair(rng):
    x = ndimage.gaussian_filter(rng.random((3, 24, 24)), (0, 1, 1)).astype(np.float32)
    return x, np.clip(x + rng.normal(0, 0.1, x.shape), 0, 1).astype(np.float32)


@pytest.mark.parametrize("sigma", [0.5, 1.5, 2.0])
def test_the_kernel_is_a_normalised_gaussian(sigma):
    kernel = losses.gaussian_kernel(sigma)
    middle = len(kernel) // 2
    assert kernel.sum() == pytest.approx(1)
    assert (kernel == kernel[::-1]).all()
    assert kernel[middle + 1] / kernel[middle] == pytest.approx(np.exp(-0.5 / sigma**2), rel=1e-5)
    assert len(kernel) // 2 >= 3 * sigma - 0.5


def test_blur_smooths_as_numpy_does_and_keeps_a_flat_picture_flat(rng):
    pictures = rng.random((2, 20, 20), dtype=np.float32)
    blurred = np.asarray(losses.blur(pictures, 2.0))
    assert np.allclose(blurred, [numpy_blur(picture, 2.0) for picture in pictures], atol=1e-5)
    assert np.allclose(losses.blur(np.ones((1, 20, 20), np.float32), 2.0), 1, atol=1e-6)


def test_ssim_error_is_one_minus_the_published_formula(pair):
    error = np.asarray(losses.ssim_error(*pair))
    expected = [1 - numpy_ssim(x, y) for x, y in zip(*pair, strict=True)]
    assert np.allclose(error, expected, atol=1e-3)
    assert ((error > -1e-4) & (error <= 2)).all()


def test_ssim_error_of_equal_pictures_is_zero_and_grows_with_noise(pair, rng):
    x, _ = pair
    noise = rng.normal(size=x.shape).astype(np.float32)
    errors = [float(np.mean(losses.ssim_error(x, x + level * noise))) for level in (0, 0.02, 0.1, 0.3)]
    assert errors[0] == pytest.approx(0, abs=1e-5)
    assert errors == sorted(errors)
    assert errors[-1] > 0.5


def test_kl_is_that_of_two_gaussians(rng):
    mean, log_variance = rng.normal(size=(2, 4, 6)).astype(np.float32)
    variance = np.exp(log_variance)
    # log(1/s) + (s^2 + m^2) / 2 - 1/2 for each value, summed over the code.
    expected = (-0.5 * log_variance + (variance + mean**2) / 2 - 0.5).sum(axis=1).mean()
    assert float(losses.kl_divergence(mean, log_variance)) == pytest.approx(expected, rel=1e-5)


def test_kl_of_the_standard_gaussian_is_zero_and_a_code_of_maps_is_summed_whole():
    zeros = np.zeros((3, 2, 2, 5), np.float32)
    assert float(losses.kl_divergence(zeros, zeros)) == 0
    assert float(losses.kl_divergence(zeros + 1, zeros)) == pytest.approx(0.5 * 20)


def test_cosine_error_is_the_mean_of_the_layers(rng):
    found, expected = rng.normal(size=(2, 3, 4, 4, 2, 7)).astype(np.float32)
    lengths = np.linalg.norm(found, axis=-1) * np.linalg.norm(expected, axis=-1)
    by_hand = (1 - (found * expected).sum(axis=-1) / lengths).mean(axis=-1)
    assert np.allclose(losses.cosine_error(found, expected), by_hand, atol=1e-4)


def test_cosine_error_runs_from_alike_to_opposite_whatever_the_length(rng):
    found = rng.normal(size=(1, 2, 2, 1, 5)).astype(np.float32)
    for factor, error in ((1, 0), (7, 0), (-1, 2)):
        assert np.allclose(losses.cosine_error(found, factor * found), error, atol=1e-4)
    assert np.isfinite(losses.cosine_error(found, 0 * found)).all()


@pytest.mark.parametrize(("side", "sigma"), [(24, 1.5), (7, 1.5), (3, 2.0)])
def test_smoothing_by_matrices_is_the_same_smoothing(pair, side, sigma):
    maps = pair[0][:, :side, :side]
    found = np.asarray(losses.multiplied_blur(maps, sigma))
    assert np.allclose(found, [numpy_blur(each, sigma) for each in maps], atol=1e-5)
    same = losses.ssim_error(*pair, blur=losses.multiplied_blur)
    assert np.allclose(same, losses.ssim_error(*pair), atol=1e-4)
