"""One scan in the common frame: size, resolution, range, and the mask beside it."""

from __future__ import annotations

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atypia.datasets.phantom import phantom_image
from atypia.equalising import Equaliser
from atypia.equalising.equaliser import head_extent
from atypia.errors import UnreadableScan
from atypia.scan import Scan

ANATOMY = phantom_image(5, sequence="T1", head=True).pixels.astype(np.float32)


def stored(side: int, pad: tuple[int, int] = (0, 0), offset: float = 0.0) -> Scan:
    """The same head in another size, with something to its left and right, on another background."""
    picture = PIL.Image.fromarray(ANATOMY).resize((side, side), PIL.Image.Resampling.LANCZOS)
    pixels = np.pad(np.clip(np.asarray(picture), 0, 255 - offset), ((0, 0), pad)) + np.float32(offset)
    return Scan(pixels.astype(np.float32), "scan")


@settings(max_examples=25, deadline=None)
@given(
    side=st.integers(90, 400),
    pad=st.tuples(st.integers(0, 60), st.integers(0, 60)),
    around=st.sampled_from(["blank", "keep"]),
)
def test_every_picture_has_one_size_and_a_black_rim(side: int, pad: tuple[int, int], around: str) -> None:
    shown = Equaliser(96, 64, around).picture(stored(side, pad))  # type: ignore[arg-type]
    assert shown.shape == (96, 96)
    assert shown.dtype == np.uint8
    assert shown.max() > 100
    rim = np.concatenate([shown[0], shown[-1], shown[:, 0], shown[:, -1]])
    assert rim.max() <= (0 if around == "blank" else 10)


def test_a_head_looks_the_same_whatever_size_it_was_stored_in() -> None:
    equaliser = Equaliser(128, 90)
    pictures = [equaliser.picture(stored(side)).astype(float) for side in (150, 224, 450)]
    for other in pictures[1:]:
        assert (
            np.corrcoef(pictures[0].ravel(), other.ravel())[0, 1] > 0.98
        )  # the head is found to a pixel or two
    sharpness = [np.hypot(*np.gradient(picture)).mean() / picture.std() for picture in pictures]
    assert max(sharpness) / min(sharpness) < 1.04


def test_the_background_becomes_black_and_what_lies_in_it_goes() -> None:
    scan = stored(224, (40, 40), offset=20.0)
    scan.pixels[100:104, 5:15] = 250
    blank, keep = (Equaliser(128, 128, around).picture(scan) for around in ("blank", "keep"))
    assert blank[0].max() == blank[:, 0].max() == 0
    assert np.median(keep[:5]) <= 1


def test_files_of_16_bits_fill_the_greys_as_those_of_8_do() -> None:
    pixels = stored(224).pixels * 16
    shown = Equaliser(96, 96).picture(Scan(pixels.astype(np.float32), "wide"))
    assert shown.max() == 255


@settings(max_examples=25, deadline=None)
@given(side=st.integers(120, 400), row=st.floats(0.35, 0.65), column=st.floats(0.35, 0.65))
def test_the_mask_stays_on_what_it_marks(side: int, row: float, column: float) -> None:
    scan = stored(side, (20, 0))
    rows, columns = np.mgrid[: scan.pixels.shape[0], : scan.pixels.shape[1]]
    mask = np.hypot(rows - row * side, columns - 20 - column * side) < 0.05 * side
    scan.pixels[...] = np.minimum(scan.pixels, 120)
    scan.pixels[mask] = 255
    equaliser = Equaliser(128, 100)
    bright, marked = equaliser.picture(scan) > 188, equaliser.mask(scan, mask)
    assert marked.sum() > 30
    places = [np.argwhere(found).mean(axis=0) for found in (bright, marked)]
    assert np.abs(places[0] - places[1]).max() < 0.75
    assert (bright & marked).sum() > 0.8 * (bright | marked).sum()


def test_a_mask_may_reach_beyond_what_is_shown() -> None:
    scan = stored(224, (100, 0))
    marked = Equaliser(64, 64).mask(scan, np.ones(scan.pixels.shape, bool))
    assert marked.mean() > 0.8


def test_an_empty_scan_has_no_head() -> None:
    with pytest.raises(UnreadableScan, match="no contrast"):
        head_extent(Scan(np.zeros((64, 64), np.float32), "empty"))
