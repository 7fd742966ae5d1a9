"""What a reconstructing network is trained to make small, as operations that every Keras backend has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atypia.keras_backend import keras

SSIM_SIGMA = 1.5
SSIM_C1, SSIM_C2 = 0.01**2, 0.03**2


def gaussian_kernel(sigma: float) -> NDArray[np.float32]:
    """Return a normalised Gaussian (K,) that reaches three standard deviations to each side."""
    radius = max(1, round(3 * sigma))
    x = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * (x / sigma) ** 2)
    return np.asarray(weights / weights.sum(), dtype=np.float32)


def blur(pictures: Any, sigma: float) -> Any:
    """Smooth (N, S, S) by a Gaussian, its weights renormalised at the border."""
    ops = keras().ops
    kernel = gaussian_kernel(sigma)
    radius = len(kernel) // 2
    x = ops.expand_dims(pictures, -1)
    for axis, shape in ((1, (-1, 1, 1, 1)), (2, (1, -1, 1, 1))):
        x = ops.conv(x, kernel.reshape(shape), padding="same")
        size = int(pictures.shape[axis])
        weight = np.convolve(np.ones(size, np.float32), kernel)[radius : radius + size]
        x = x / weight.reshape((1, -1, 1, 1) if axis == 1 else (1, 1, -1, 1))
    return x[..., 0]


def multiplied_blur(maps: Any, sigma: float) -> Any:
    """Smooth (..., G, G) as `blur` does, by one matrix for each axis: quicker for many maps of few cells."""
    ops = keras().ops
    size = int(maps.shape[-1])
    steps = np.abs(np.arange(size)[:, None] - np.arange(size))
    kernel = gaussian_kernel(sigma)
    radius = len(kernel) // 2
    weights = np.where(steps <= radius, kernel[np.minimum(radius + steps, len(kernel) - 1)], 0)
    matrix = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return ops.matmul(ops.matmul(matrix, maps), matrix.T)


def ssim_error(truth: Any, reconstruction: Any, blur: Callable[[Any, float], Any] = blur) -> Any:
    """Return 1 - SSIM per pixel, (N, S, S), in [0, 2]; `blur` is what averages around each.

    Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to structural
    similarity", IEEE TIP 13(4), 2004, equation 13, for pictures in [0, 1].
    """
    mu_x, mu_y = blur(truth, SSIM_SIGMA), blur(reconstruction, SSIM_SIGMA)
    var_x = blur(truth * truth, SSIM_SIGMA) - mu_x * mu_x
    var_y = blur(reconstruction * reconstruction, SSIM_SIGMA) - mu_y * mu_y
    cov = blur(truth * reconstruction, SSIM_SIGMA) - mu_x * mu_y
    luminance = (2 * mu_x * mu_y + SSIM_C1) / (mu_x * mu_x + mu_y * mu_y + SSIM_C1)
    structure = (2 * cov + SSIM_C2) / (var_x + var_y + SSIM_C2)
    return 1 - luminance * structure


def cosine_error(components: Any, expected: Any) -> Any:
    """Return 1 - cosine similarity per cell, the mean of layers: (N, G, G, L, K) -> (N, G, G), in [0, 2]."""
    ops = keras().ops
    product = ops.sum(components * expected, axis=-1)
    lengths = ops.sum(components * components, axis=-1) * ops.sum(expected * expected, axis=-1)
    return ops.mean(1 - product / ops.sqrt(lengths + 1e-6), axis=-1)


def kl_divergence(mean: Any, log_variance: Any) -> Any:
    """Return the divergence of N(mean, variance) from N(0, 1), summed over the code: a scalar mean over N.

    Kingma and Welling, "Auto-Encoding Variational Bayes", ICLR 2014, appendix B.
    """
    ops = keras().ops
    per_value = -0.5 * (1 + log_variance - mean * mean - ops.exp(log_variance))
    return ops.mean(ops.sum(ops.reshape(per_value, (-1, int(np.prod(mean.shape[1:])))), axis=-1))
