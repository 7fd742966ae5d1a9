"""What tells the sequence of a slice: how bright fluid is, and the tissue beside it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from atypia.preparation import Prepared
from atypia.scan import Image, Mask

# Fluid is darker, or brighter, than these shares of the median; lengths are shares of the canvas.
_DARK, _BRIGHT = 0.6, 1.4
_NEAR, _AFAR, _RIM = (0.009, 0.028), 0.05, 0.02
_FEWEST = 20


def contrast_features(prepared: Prepared) -> NDArray[np.float64]:
    """Return 4 numbers on the interior, in units of its median.

    How much brighter than farther away the tissue is that lies beside dark places: well below 0 in T1, where
    grey matter is darker than white, not so in FLAIR and T2. The same beside bright places, which are fluid
    in T2 alone. The same beside what is brighter than its surroundings. The brightest deep place.
    """
    interior = prepared.interior
    core = ndimage.binary_erosion(interior, iterations=max(1, round(_RIM * len(interior))))
    core = core if core.sum() > 10 * _FEWEST else interior
    picture = ndimage.gaussian_filter(prepared.pixels, 0.6)
    values = np.minimum(picture / max(float(np.median(picture[core])), 0.02), np.float32(3))
    share = interior.astype(np.float32)
    wide = 0.03 * len(interior)
    shading = ndimage.gaussian_filter(values * share, wide)
    shading /= np.maximum(ndimage.gaussian_filter(share, wide), np.float32(0.1))
    detail = values - shading
    high = float(np.percentile(detail[core], 95))
    depth = ndimage.distance_transform_edt(interior)
    deep = depth > 0.5 * depth.max()
    brightest = (
        float(ndimage.gaussian_filter(values, 0.009 * len(interior))[deep].max()) if deep.any() else 1.0
    )
    features = [
        _beside(values, core, core & (values < _DARK)),
        _beside(values, core, core & (values > _BRIGHT)),
        _beside(values / np.maximum(shading, np.float32(0.1)), core, core & (detail > high)),
        brightest,
    ]
    return np.asarray(np.clip(np.array(features, np.float64), -0.4, 2.2))


def _beside(values: Image, core: Mask, places: Mask) -> float:
    """Return how much brighter the core is near some places than far from them; 0 where there are none."""
    if not places.any():
        return 0.0
    distance = ndimage.distance_transform_edt(~places) / len(values)
    far = values[core & (distance > _AFAR)]
    near = values[core & (distance > _NEAR[0]) & (distance <= _NEAR[1])]
    return float(np.median(near) - np.median(far)) if min(far.size, near.size) > _FEWEST else 0.0
