"""Maps as NIfTI volumes on the grid of their input."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from atypia.atomic import write_whole
from atypia.notice import RESEARCH_USE_ONLY

_FAST = 3


def write_nifti(
    grid: NDArray[np.float32] | NDArray[np.uint16],
    affine: NDArray[np.float64],
    path: Path,
    *,
    name: str,
    window: tuple[float, float] | None = None,
) -> None:
    """Write values (I, J, K) with the affine (4, 4) of their input as a `.nii.gz` file, whole or not at all.

    `name`, at most 15 letters, says what the values are; `window` is from where to where a viewer shows them.
    The notice that this is for research stands in the header. The same values give the same bytes.
    Raises OutputError where it cannot be written.
    """
    import nibabel  # here, because few scans are volumes

    image = nibabel.Nifti1Image(grid, affine)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = f"Atypia: {RESEARCH_USE_ONLY}".encode()[:79]
    image.header["intent_name"] = name.encode()[:15]
    if window is not None:
        image.header["cal_min"], image.header["cal_max"] = window
    write_whole(path, gzip.compress(image.to_bytes(), _FAST, mtime=0))
