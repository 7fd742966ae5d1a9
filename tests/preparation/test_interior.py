"""The interior ends in the skull where that is seen, and at the outline where there is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from atypia.datasets.phantom import phantom_image
from atypia.preparation import Preparation, Prepared
from atypia.preparation.interior import RIM, find_interior, without_rim
from atypia.reading.picture import read_picture
from atypia.scan import Image, Mask, Scan

SIDE = 160
ROWS, COLUMNS = np.ogrid[:SIDE, :SIDE]


def disc(radius: float) -> Mask:
    return np.hypot((ROWS - 80) / 1.15, COLUMNS - 80) < radius


def head(scalp: float, skull: float, brain: float = 0.4) -> tuple[Image, Mask, Mask]:
    """A canvas of scalp, skull and brain, 6 and 5 pixels thick, the head, and the brain."""
    noise = np.random.default_rng(0).normal(0, 0.01, (SIDE, SIDE))
    canvas = np.select([disc(49), disc(54), disc(60)], [brain, skull, scalp], 0.0) + noise
    return ndimage.gaussian_filter(canvas, 0.7).astype(np.float32), disc(60), disc(49)


@pytest.mark.parametrize("scalp", [0.3, 0.6, 1.0])
def test_a_dark_skull_is_where_it_ends(scalp: float) -> None:
    canvas, whole, brain = head(scalp, skull=0.03)
    found = find_interior(canvas, whole)
    assert not (found & ~disc(55)).any()
    assert (found & brain).sum() > 0.99 * brain.sum()


def test_a_head_without_a_skull_loses_little() -> None:
    canvas, whole, _ = head(scalp=0.4, skull=0.4)
    found = find_interior(canvas, whole)
    assert found.sum() > 0.93 * whole.sum()
    assert not (found & ~whole).any()


def test_a_bright_rim_without_a_dark_ring_is_left_out() -> None:
    canvas, whole, _ = head(scalp=1.0, skull=1.0)
    assert np.array_equal(find_interior(canvas, whole), without_rim(whole))


def test_a_tumour_at_the_cortex_stays_inside() -> None:
    canvas, whole, brain = head(scalp=0.9, skull=0.03)
    tumour = (np.hypot(ROWS - 45, COLUMNS - 55) < 12) & brain
    canvas[tumour] = 0.9
    assert (find_interior(canvas, whole) & tumour).sum() > 0.97 * tumour.sum()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), share=st.floats(0, 1))
def test_whatever_the_canvas_it_is_some_of_the_head(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    canvas = np.clip(ndimage.gaussian_filter(rng.normal(0.4, 2, (64, 64)), 2), 0, 1).astype(np.float32)
    mask = ndimage.gaussian_filter(rng.normal(size=(64, 64)), 6) > np.quantile([-0.1, 0.1], share)
    found = find_interior(canvas, mask)
    assert found.shape == mask.shape
    assert found.any()
    assert mask.sum() == 0 or not (found & ~mask).any()


def test_a_rim_is_that_share_of_the_canvas() -> None:
    thinner = without_rim(disc(60))
    row = np.flatnonzero(thinner[80])
    assert row[0] - np.flatnonzero(disc(60)[80])[0] == pytest.approx(RIM * SIDE, abs=2)
    small = disc(9)
    assert without_rim(small).sum() >= 0.02 * small.size or np.array_equal(without_rim(small), small)
    assert without_rim(np.zeros((64, 64), bool)).all()


@pytest.mark.parametrize("sequence", ["T1", "T1c", "T2", "FLAIR"])
def test_a_phantom_keeps_its_tumour_and_loses_its_scalp(sequence: str) -> None:
    for seed in range(4):
        phantom = phantom_image(seed, abnormal=True, sequence=sequence, head=True)
        prepared = Preparation()(Scan(phantom.pixels.astype(np.float32), "a"))
        assert kept(prepared, phantom.mask) > 0.97
        assert 0.5 < prepared.interior.sum() / prepared.foreground.sum() < 0.9


def kept(prepared: Prepared, lesion: Mask) -> float:
    carried = prepared.geometry.to_prepared(lesion.astype(np.float32)) > 0.5
    return float((carried & prepared.interior).sum() / carried.sum())


@pytest.mark.real_data
def test_real_tumours_lie_in_the_interior(real_data: Path) -> None:
    inside, whole = 0, 0
    for mask in sorted((real_data / "lgg-flair").glob("*/*_mask.png"))[::40]:
        truth = read_picture(mask).pixels > 0
        if truth.sum() < 200:
            continue
        scan = read_picture(mask.with_name(mask.name.replace("_mask", "")))
        prepared = Preparation()(scan)
        carried = prepared.geometry.to_prepared(truth.astype(np.float32)) > 0.5
        inside += int((carried & prepared.interior).sum())
        whole += int(carried.sum())
    assert whole > 0
    assert inside > 0.97 * whole
