"""What all tests share: a seeded generator and the folder of real scans, where there is one."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real scans; the test is skipped where it is missing."""
    here = Path(__file__).resolve().parents[1]
    folder = Path(os.environ.get("ATYPIA_DATA", here.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real scans at {folder}: set ATYPIA_DATA to their folder")
    return folder
