"""DICOM objects are judged and read by tools that are not ours; skipped where they are not installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image

from atypia.writing.dicom import write_capture, write_report, write_segmentation

# Whoever has codes of his own gets this remark: dciodvfy knows the schemes of the standard alone.
OWN_CODES = (
    "Warning - Unrecognized defined term <99ATYPIA> for value 1 of attribute <Coding Scheme Designator>"
)


def run(tool: str, *words: object) -> subprocess.CompletedProcess[str]:
    if shutil.which(tool) is None:
        package = "dicom3tools" if tool == "dciodvfy" else "dcmtk"
        pytest.skip(f"{tool} is not installed: apt-get install {package}")
    return subprocess.run(
        [tool, *map(str, words)], capture_output=True, text=True, errors="replace", timeout=60, check=False
    )


@pytest.fixture(params=["classic", "enhanced"])
def results(request, maker, tmp_path) -> list[Path]:
    finding = request.getfixturevalue(request.param).finding
    return [
        *write_segmentation(finding, maker, tmp_path),
        *write_report(finding, maker, tmp_path),
        *write_capture(finding, maker, tmp_path),
    ]


def test_dciodvfy_finds_no_error(results):
    for path in results:
        done = run("dciodvfy", path)
        kind, *remarks = (done.stdout + done.stderr).split("\n")
        assert kind in ("Segmentation", "Comprehensive3DSR", "SCImage")
        assert {line for line in remarks if line} <= {OWN_CODES}, path.name


def test_dcmtk_reads_headers_report_and_pictures(results, tmp_path):
    for path in results:
        dumped = run("dcmdump", path)
        assert dumped.returncode == 0, dumped.stderr
        assert "QZ-90210" in dumped.stdout
    (report,) = (path for path in results if path.name.endswith("-sr.dcm"))
    told = run("dsrdump", report)
    assert told.returncode == 0, told.stderr
    assert "Comprehensive 3D SR Document" in told.stdout
    assert 'Volume")="1350.0" (mm3,UCUM' in told.stdout
    assert told.stdout.count("Research use only. Not a medical device.") == 4, "the series and three groups"
    for path in (path for path in results if "-sc-" in path.name):
        drawn = run("dcmj2pnm", "--write-bmp", path, tmp_path / "a.bmp")
        assert drawn.returncode == 0, drawn.stderr
        picture = np.asarray(Image.open(tmp_path / "a.bmp").convert("RGB"))
        assert np.array_equal(picture, pydicom.dcmread(path).pixel_array)


def test_dcmtk_draws_the_frames_of_the_segmentation(results, tmp_path):
    (path,) = (path for path in results if path.name.endswith("-seg.dcm"))
    pixels = pydicom.dcmread(path).pixel_array
    for number, frame in enumerate(pixels, start=1):
        drawn = run("dcmj2pnm", "--frame", number, "--write-bmp", path, tmp_path / "f.bmp")
        assert drawn.returncode == 0, drawn.stderr
        assert np.array_equal(np.asarray(Image.open(tmp_path / "f.bmp").convert("L")) > 127, frame > 0)
