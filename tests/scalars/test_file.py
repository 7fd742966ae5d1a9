from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image

from atypia.reading.row import Row
from atypia.scalars import measure_row


@pytest.mark.parametrize("quality", [5, 20, 50, 75, 90, 95])
def test_the_quality_of_a_jpeg_is_recovered(head, save, quality):
    found = measure_row(save(head, "a.jpg", quality=quality))
    assert found["jpeg_quality"] == pytest.approx(quality, abs=1.5)


def test_what_is_no_jpeg_has_no_quality(head, save):
    found = measure_row(save(head))
    assert math.isnan(found["jpeg_quality"])
    assert (found["file_format"], found["file_suffix"], found["colour_mode"]) == (1, 3, 0)


def test_the_first_bytes_give_the_format_and_the_name_the_suffix(head, save):
    found = measure_row(save(head, "a.png", format="JPEG"))
    assert (found["file_format"], found["file_suffix"]) == (0, 3)


@pytest.mark.parametrize(("mode", "code"), [("L", 0), ("P", 1), ("RGB", 2), ("RGBA", 3), ("I;16", 4)])
def test_modes_are_told_apart(head, tmp_path, mode, code):
    grey = Image.fromarray((head * 255).astype(np.uint8))
    picture = Image.fromarray((head * 60000).astype(np.uint16)) if mode == "I;16" else grey.convert(mode)
    picture.save(tmp_path / "a.png")
    assert measure_row(Row(tmp_path / "a.png", "a.png"))["colour_mode"] == code


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_grey_saved_as_colour_has_no_colour(head, save, tmp_path, name):
    assert measure_row(save(head, name, "RGB"))["colourfulness"] < 0.005
    red = np.stack([head, head * 0.5, head * 0.5], axis=2)
    Image.fromarray((red * 255).astype(np.uint8)).save(tmp_path / name)
    found = measure_row(Row(tmp_path / name, name))
    assert found["colourfulness"] == pytest.approx(head.mean() / 2, abs=0.03)


def test_bytes_are_counted_per_pixel(head, save):
    row = save(head)
    assert measure_row(row)["bytes_per_pixel"] == row.path.stat().st_size / head.size
