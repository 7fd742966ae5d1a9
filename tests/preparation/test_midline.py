"""The mid-line is found where there is one, and the head set upright; where there is none it is left."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from atypia.datasets.phantom import phantom_image
from atypia.preparation import Preparation
from atypia.preparation.foreground import find_foreground
from atypia.preparation.midline import Midline, find_midline, upright_box
from atypia.reading.folder import read_folder
from atypia.reading.picture import read_picture
from atypia.scan import Image, Scan


def symmetric_head(seed: int = 3) -> Image:
    """A phantom whose left half is its right one, with room to turn."""
    pixels = phantom_image(seed, sequence="FLAIR", head=True).pixels.astype(np.float32)
    found = find_midline(foreground(pixels))
    column = round(found.place[1])
    half = pixels[:, column : column + 90]
    return np.pad(np.concatenate([half[:, ::-1], half], axis=1), 40)


def foreground(pixels: Image):
    found = find_foreground(pixels)
    assert found is not None
    return found


HEAD = symmetric_head()


def leaning(degrees: float, down: int = 0, across: int = 0) -> Image:
    """The head with its crown leaning to the right by some degrees."""
    turned = ndimage.rotate(HEAD, -degrees, reshape=False, order=1)
    return np.roll(turned, (down, across), (0, 1))


@settings(max_examples=25, deadline=None)
@given(degrees=st.floats(-20, 20), down=st.integers(-20, 20), across=st.integers(-20, 20))
def test_a_leaning_head_is_set_upright_within_two_degrees(degrees: float, down: int, across: int) -> None:
    found = find_midline(foreground(leaning(degrees, down, across)))
    assert math.degrees(found.angle) == pytest.approx(-degrees, abs=2)
    assert found.confidence > 0.7
    middle = (np.array(HEAD.shape) - 1) / 2 + (down, across)
    normal = np.array([-math.sin(found.angle), math.cos(found.angle)])
    assert abs((np.array(found.place) - middle) @ normal) < 2


@pytest.mark.parametrize("degrees", [-20, -7, 0, 3, 20])
def test_prepared_it_resembles_its_mirror_image(degrees: float) -> None:
    prepared = Preparation(size=128)(Scan(leaning(degrees), "a"))
    assert prepared.upright > 0.7
    assert math.degrees(prepared.geometry.angle) == pytest.approx(-degrees, abs=2)
    inside = prepared.foreground & prepared.foreground[:, ::-1]
    mirrored = np.corrcoef(prepared.pixels[inside], prepared.pixels[:, ::-1][inside])[0, 1]
    assert mirrored > 0.9
    as_it_lay = Preparation(size=128, upright=False)(Scan(leaning(degrees), "a"))
    assert (as_it_lay.upright, as_it_lay.geometry.angle) == (0, 0)


def test_every_sequence_is_turned_alike() -> None:
    for sequence in ("T1", "T1c", "T2", "FLAIR"):
        pixels = phantom_image(11, sequence=sequence, head=True).pixels.astype(np.float32)
        straight = find_midline(foreground(np.pad(pixels, 30)))
        turned = find_midline(foreground(ndimage.rotate(np.pad(pixels, 30), -12, reshape=False, order=1)))
        assert math.degrees(turned.angle - straight.angle) == pytest.approx(-12, abs=2)


def test_without_a_mirror_image_the_head_stays_as_it_lay() -> None:
    rng = np.random.default_rng(0)
    rows, columns = np.ogrid[:150, :150]
    ellipse = np.hypot((rows - 75) / 60, (columns - 75) / 45) < 1
    pixels = ellipse * (100 + 40 * ndimage.gaussian_filter(rng.normal(size=(150, 150)), 5) * 15)
    prepared = Preparation(size=96)(Scan(pixels.astype(np.float32), "a"))
    assert (prepared.upright, prepared.geometry.angle) == (0, 0)
    assert (
        prepared.geometry
        == Preparation(size=96, upright=False)(Scan(pixels.astype(np.float32), "a")).geometry
    )


def test_nothing_is_turned_that_is_not_cropped() -> None:
    assert Preparation(size=64, crop=False)(Scan(leaning(10), "a")).upright == 0


@settings(max_examples=15, deadline=None)
@given(gain=st.floats(0.1, 30), offset=st.floats(-100, 100))
def test_units_do_not_matter(gain: float, offset: float) -> None:
    one = find_midline(foreground(leaning(8)))
    other = find_midline(foreground((leaning(8) * gain + offset).astype(np.float32)))
    assert other.angle == pytest.approx(one.angle, abs=0.01)
    assert other.confidence == pytest.approx(one.confidence, abs=0.02)


def test_the_box_reaches_as_far_to_either_side() -> None:
    found = foreground(leaning(15))
    midline = find_midline(found)
    centre, extent = upright_box(found, midline)
    assert extent[0] > extent[1] > 100
    normal = np.array([-math.sin(midline.angle), math.cos(midline.angle)])
    assert (np.array(centre) - midline.place) @ normal == pytest.approx(0, abs=1e-9)
    moved = replace(midline, place=(midline.place[0], midline.place[1] + 10))
    assert upright_box(found, moved)[1][1] > extent[1] + 10


def test_a_map_returns_to_a_leaning_head() -> None:
    prepared = Preparation(size=128)(Scan(leaning(14, 9, -7), "a"))
    back = prepared.geometry.to_input(prepared.foreground.astype(np.float32)) > 0.5
    mask = foreground(leaning(14, 9, -7))
    head = np.kron(mask.mask, np.ones((mask.factor, mask.factor), bool))[: back.shape[0], : back.shape[1]]
    assert (back & head).sum() > 0.97 * (back | head).sum()
    assert isinstance(find_midline(mask), Midline)


@pytest.mark.real_data
@pytest.mark.parametrize(("plane", "least", "most"), [("_ax_", 0.8, 1), ("_co_", 0.9, 1), ("_sa_", 0, 0.05)])
def test_real_axial_and_coronal_slices_are_turned_and_sagittal_ones_are_not(
    real_data: Path, plane: str, least: float, most: float
) -> None:
    rows = [row for row in read_folder(real_data / "brisc2025-train/no_tumor") if plane in row.name][:120:4]
    sure = [Preparation(size=64)(read_picture(row.path)).upright > 0 for row in rows]
    assert least <= np.mean(sure) <= most
