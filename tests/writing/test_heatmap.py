from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from atypia.errors import OutputError
from atypia.scan import Finding
from atypia.writing.heatmap import write_heatmap


def spotted(shape: tuple[int, int], score: float = 2.5) -> Finding:
    heatmap = np.zeros(shape, np.float32)
    heatmap[shape[0] // 4 : shape[0] // 2, shape[1] // 4 : shape[1] // 2] = 4
    return Finding("scan.png", score, 0.01, True, 1.0, heatmap=heatmap)


@pytest.mark.parametrize("shape", [(240, 320), (224, 224), (17, 16), (2000, 40)])
def test_the_picture_has_the_size_of_the_scan(
    tmp_path: Path, rng: np.random.Generator, shape: tuple[int, int]
) -> None:
    path = tmp_path / "heatmap.png"
    write_heatmap(spotted(shape), rng.random(shape, dtype=np.float32), path, scale=(1.0, 5.0))
    with Image.open(path) as picture:
        assert (picture.height, picture.width) == shape
        assert picture.mode == "RGB"


def test_only_the_spot_glows_and_the_notice_is_burnt_in(tmp_path: Path) -> None:
    path = tmp_path / "heatmap.png"
    scan = np.full((240, 320), 0.5, np.float32)
    scan[0, 0], scan[0, 1] = 0, 1
    write_heatmap(spotted(scan.shape), scan, path, scale=(1.0, 5.0))
    with Image.open(path) as picture:
        drawn = np.asarray(picture).astype(int)
        assert picture.text["Disclaimer"] == "Research use only. Not a medical device."
        assert picture.text["Score"] == "2.5"
        assert picture.text["Verdict"] == "abnormal"
    glow = np.ptp(drawn, axis=-1) > 40
    assert glow[60:120, 80:160].all()
    assert glow.sum() == 60 * 80
    assert (drawn[-12:].max(axis=(0, 2)) > 150).any()
    assert (drawn[-1] == 0).all()


def test_the_same_heat_has_the_same_colour_on_every_scan(tmp_path: Path) -> None:
    """A brighter spot elsewhere in one map must not dim the same spot in it."""
    scan, calm, loud = (np.full((240, 320), 0.5, np.float32) for _ in range(3))
    loud[:20, :20] = 100
    colours = []
    for name, heatmap in (("calm", calm), ("loud", loud)):
        heatmap[100:110, 100:110] = 3
        path = tmp_path / f"{name}.png"
        write_heatmap(Finding(name, 1, 0.5, True, 1, heatmap=heatmap), scan, path, scale=(1.0, 5.0))
        with Image.open(path) as picture:
            colours.append(picture.getpixel((105, 105)))
    assert colours[0] == colours[1]


def test_a_finding_without_a_fitting_heat_map_is_refused(tmp_path: Path) -> None:
    scan = np.zeros((20, 20), np.float32)
    with pytest.raises(ValueError, match=r"expected a heat map of \(20, 20\), received \(30, 20\)"):
        write_heatmap(spotted((30, 20)), scan, tmp_path / "x.png", scale=(0, 1))
    with pytest.raises(ValueError, match="received None"):
        write_heatmap(Finding("x", 1, 1, False, 1), scan, tmp_path / "x.png", scale=(0, 1))


def test_a_place_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="could not be written"):
        write_heatmap(
            spotted((20, 20)), np.zeros((20, 20), np.float32), tmp_path / "file/x.png", scale=(0, 1)
        )


def test_a_region_has_a_line_around_it(tmp_path: Path) -> None:
    finding = spotted((240, 320))
    marked = replace(finding, region_map=(finding.heatmap > 0).astype(np.uint8))
    scan = np.full((240, 320), 0.5, np.float32)
    drawn = []
    for name, one in (("plain", finding), ("marked", marked)):
        write_heatmap(one, scan, tmp_path / f"{name}.png", scale=(1.0, 5.0))
        with Image.open(tmp_path / f"{name}.png") as picture:
            drawn.append(np.asarray(picture).astype(int))
    changed = (drawn[0] != drawn[1]).any(axis=-1)
    assert changed[59, 80:160].all()
    assert not changed[60:120, 80:160].any()
