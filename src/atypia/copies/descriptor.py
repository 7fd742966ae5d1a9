"""A few numbers for each picture that tell it from other pictures, but hardly from its own copies.

The numbers are the low cosine coefficients of the thumbnail, projected on the directions in which pictures
of this set differ most, compared with how copies of one picture differ: linear discriminant analysis (Fisher
1936; Bishop, Pattern Recognition and Machine Learning, section 4.1.6). Every picture is a class of its own,
whose other members are crops that are made here. Both scatters are taken over the eight poses, so that
distances do not depend on the pose that two pictures share.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from atypia.copies.pose import POSES, posed_waves
from atypia.copies.thumbnail import Thumbnail
from atypia.copies.warp import warped

WAVES = 12
NUMBERS = 24
LEARNED_FROM = 1000
CROP = 0.05
RIDGE = 0.05
# The search radius: what reaches this share of the made copies, and as far again, for what was learned from
# few pictures fits those too well.
REACHED, MARGIN = 0.998, 2.0

Numbers = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Descriptor:
    """The learned projection, float32 (WAVES * WAVES, NUMBERS), and the distance within which copies lie."""

    projection: Numbers
    radius: float

    def __call__(self, waves: Numbers, pose: int = 0) -> Numbers:
        """Return the numbers (N, NUMBERS) of pictures in a pose, from their coefficients."""
        turned = posed_waves(waves, pose)
        return turned.reshape(len(turned), -1) @ self.projection


def waves_of(thumbnails: Thumbnail | Numbers) -> Numbers:
    """Return the low cosine coefficients (N, WAVES, WAVES) of thumbnails, free of brightness and contrast."""
    found = np.empty((len(thumbnails), WAVES, WAVES), np.float32)
    for start in range(0, len(thumbnails), 1024):
        part = np.asarray(thumbnails[start : start + 1024], np.float32)
        low = scipy.fft.dctn(part, axes=(1, 2), norm="ortho")[:, :WAVES, :WAVES]
        low[:, 0, 0] = 0
        found[start : start + 1024] = low / np.maximum(np.linalg.norm(low, axis=(1, 2), keepdims=True), 1e-6)
    return found


def learn_descriptor(thumbnails: Thumbnail, waves: Numbers, rng: np.random.Generator) -> Descriptor:
    """Learn the projection from thumbnails (N, S, S) that are not flat, and their coefficients."""
    chosen = rng.permutation(len(thumbnails))[:LEARNED_FROM]
    made = waves_of(_made_copies(np.asarray(thumbnails[chosen], np.float32), rng))
    departures = made - np.tile(waves[chosen], (len(made) // len(chosen), 1, 1))
    within, between = _scatter(departures), _scatter(waves[chosen] - waves[chosen].mean(0))
    ridge = np.eye(len(within)) * (RIDGE * np.trace(within) / len(within))
    _, directions = scipy.linalg.eigh(between + ridge, within + ridge)
    projection = directions[:, ::-1][:, :NUMBERS].astype(np.float32)
    distances = np.linalg.norm(departures.reshape(len(departures), -1) @ projection, axis=1)
    return Descriptor(projection, MARGIN * float(np.quantile(distances, REACHED)))


def _made_copies(thumbnails: Numbers, rng: np.random.Generator) -> Numbers:
    """Return crops of the thumbnails, by up to CROP a side, and half of them with the brightest cut off."""
    made = []
    for cut in range(6):
        sides = rng.uniform(0, CROP, (len(thumbnails), 4)).astype(np.float32)
        if cut % 2:
            sides = np.where(rng.random(sides.shape) < 0.5, np.float32(CROP), np.float32(0))
        top, left, bottom, right = sides.T
        frames = np.stack([1 - top - bottom, top - bottom, 1 - left - right, left - right], 1)
        crops, _ = warped(thumbnails, frames)
        made.append(np.minimum(crops, 190) if cut >= 3 else crops)
    return np.concatenate(made)


def _scatter(departures: Numbers) -> NDArray[np.float64]:
    """Return the mean outer product of coefficients over the eight poses."""
    total = np.zeros((WAVES * WAVES, WAVES * WAVES))
    for pose in range(len(POSES)):
        flat = posed_waves(departures, pose).reshape(len(departures), -1).astype(np.float64)
        total += flat.T @ flat
    return total / (len(POSES) * len(departures))
