"""A Screener that is quick, and a table of pictures and volumes for it."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from atypia.reading.collection import Collection, read_collections
from atypia.screener import Screener

SLICES, PICTURES = 3, 13


@pytest.fixture(scope="session")
def mixed_folder(draw_heads, tmp_path_factory) -> Path:
    """Thirteen pictures, one of them broken, and three volumes of three slices; some have lesions."""
    root = tmp_path_factory.mktemp("mixed")
    heads, _ = draw_heads(PICTURES, size=32, seed=5, lesion=0.8)
    for number, pixels in enumerate(heads):
        Image.fromarray(np.uint8(255 * pixels)).save(root / f"{number:02}.png")
    (root / "07.png").write_text("no picture")
    for subject in range(3):
        slices, _ = draw_heads(SLICES, size=32, seed=40 + subject, lesion=0.8 * (subject == 1))
        grid = np.moveaxis(800 * slices, 0, 2).astype(np.float32)
        nibabel.save(nibabel.Nifti1Image(grid, np.diag([1, 1, 4, 1])), root / f"{subject}_sub.nii.gz")
    return root


@pytest.fixture(scope="session")
def mixed(mixed_folder) -> Collection:
    return read_collections([mixed_folder])


@pytest.fixture
def quick(quick_file) -> Screener:
    return Screener.load(quick_file)
