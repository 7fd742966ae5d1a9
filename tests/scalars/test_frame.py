from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from atypia.preparation.foreground import find_foreground
from atypia.scalars import measure_row
from atypia.scalars.frame import border, outside_thumbnail


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25])
def test_the_border_is_as_wide_as_it_was_made(share, rng):
    side = 100
    width = round(share * side)
    pixels = np.full((side, side), 0.2, np.float32)
    inner = side - 2 * width
    pixels[width : side - width, width : side - width] = rng.uniform(0.4, 1, (inner, inner))
    assert border(pixels) == pytest.approx(share)


def test_border_of_any_grey_counts_and_noise_does_not_end_it(rng):
    pixels = np.full((100, 100), 0.7, np.float32) + rng.uniform(-0.01, 0.01, (100, 100)).astype(np.float32)
    pixels[20:80, 20:80] = rng.uniform(0, 1, (60, 60))
    assert border(pixels) == pytest.approx(0.2)


def test_letters_outside_the_head_are_counted(head, save):
    large = np.asarray(Image.fromarray(head).resize((512, 512)))
    picture = Image.fromarray((large * 255).astype(np.uint8))
    ImageDraw.Draw(picture).text((6, 6), "R 1234 A", fill=255, font_size=18)
    assert measure_row(save(large, "plain.png"))["glyphs"] == 0
    assert measure_row(save(np.asarray(picture) / 255, "named.png"))["glyphs"] >= 4


def test_noise_around_the_head_is_measured(head, save, rng):
    quiet = measure_row(save(head, "quiet.png"))
    noisy = measure_row(save(head + 0.1 + rng.normal(0, 0.02, head.shape), "noisy.png"))
    assert quiet["background_noise"] < 0.015
    assert noisy["background_noise"] == pytest.approx(0.022, abs=0.006)
    assert noisy["background_mean"] == pytest.approx(0.1, abs=0.01)


def test_a_head_that_is_cut_touches_the_rim(head, save):
    whole, cut = measure_row(save(head)), measure_row(save(head[30:130, 30:130], "cut.png"))
    assert whole["head_cut"] == 0
    assert cut["head_cut"] > 0.1
    assert cut["head_area"] > whole["head_area"]


def test_a_thumbnail_shows_nothing_of_the_head(head):
    seen = outside_thumbnail(head, find_foreground(head))
    brighter = head.copy()
    brighter[70:90, 70:90] = 1
    assert seen.shape == (32, 32)
    assert (seen[12:20, 12:20] == 255).all()
    assert (seen[0] < 255).all()
    assert np.array_equal(seen, outside_thumbnail(brighter, find_foreground(head)))
