"""The eight ways to lay a picture down: quarter turns, each with and without mirroring."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Array = TypeVar("Array", bound=NDArray[np.generic])

POSES = (
    "same",
    "rotated 90",
    "rotated 180",
    "rotated 270",
    "mirrored",
    "mirrored, rotated 90",
    "mirrored, rotated 180",
    "mirrored, rotated 270",
)

# The pose that undoes each; a mirrored one undoes itself.
INVERSE = np.array([0, 3, 2, 1, 4, 5, 6, 7], np.int8)


def _products() -> NDArray[np.int8]:
    """Return the pose (8, 8) that comes of laying a picture in the first and then in the second."""
    picture = np.arange(4).reshape(2, 2)
    known = {posed(picture, pose).tobytes(): pose for pose in range(len(POSES))}
    products = [
        [known[posed(posed(picture, one), two).tobytes()] for two in range(len(POSES))]
        for one in range(len(POSES))
    ]
    return np.array(products, np.int8)


def posed(pictures: Array, pose: int) -> Array:
    """Return pictures (..., S, S) in a pose: mirrored left to right first, then turned counter-clockwise.

    >>> import numpy as np
    >>> posed(np.array([[1, 2], [3, 4]]), POSES.index("rotated 90")).tolist()
    [[2, 4], [1, 3]]
    """
    mirrored = pictures[..., ::-1] if pose >= 4 else pictures
    return np.rot90(mirrored, pose % 4, axes=(-2, -1))  # type: ignore[return-value]


def posed_each(pictures: Array, poses: NDArray[np.integer]) -> Array:
    """Return pictures (N, S, S), each in a pose of its own."""
    found = pictures.copy()
    for pose in np.unique(poses):
        found[poses == pose] = posed(pictures[poses == pose], int(pose))
    return found


def posed_waves(waves: NDArray[np.float32], pose: int) -> NDArray[np.float32]:
    """Return the cosine coefficients (..., K, K) of posed pictures, from those of the pictures as they are.

    Mirroring an axis changes the sign of its odd coefficients, and a quarter turn is a transposition and a
    mirroring, so that no picture need be transformed again.
    """
    signs = np.where(np.arange(waves.shape[-1]) % 2, -1, 1).astype(np.float32)
    if pose >= 4:
        waves = waves * signs
    for _ in range(pose % 4):
        waves = np.swapaxes(waves, -1, -2) * signs[:, None]
    return waves


THEN = _products()
