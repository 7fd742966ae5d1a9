"""Every fault in one folder: each costs its own row, with the reason, and the good volumes are scored."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import MPEG2MPML

from atypia.reading.picture import read_picture

KEPT = "kept"
"""Told of what is odd and judged all the same."""


def broken(**elements: Any) -> Callable[[Any, int], None]:
    def edit(data: Any, _index: int) -> None:
        for name, value in elements.items():
            if value is None:
                delattr(data, name)
            else:
                setattr(data, name, value)

    return edit


def encapsulated(data: Any, _index: int) -> None:
    data.PixelData = encapsulate([data.PixelData])
    data.file_meta.TransferSyntaxUID = MPEG2MPML
    data["PixelData"].VR = "OB"


def turned(data: Any, index: int) -> None:
    if index > 3:
        data.ImageOrientationPatient, data.ImagePositionPatient = [0, 1, 0, 0, 0, -1], [5 * index, 0, 0]


# Of each fault of a series: how its headers are changed, how many slices it has, and what is told.
SERIES: dict[str, tuple[Callable[[Any, int], None] | None, int, str]] = {
    "another-modality": (broken(Modality="CT"), 6, "one of the modality CT"),
    "empty-pixels": (broken(PixelData=b""), 6, "cut short"),
    "no-pixels": (broken(PixelData=None), 6, "a header without pixels"),
    "wrong-bits": (broken(BitsStored=8, HighBit=7), 6, "by the number of their bits"),
    "more-bits": (broken(BitsStored=20), 6, "20 bits stored of 16"),
    "no-decoder": (encapsulated, 6, "the transfer syntax MPEG2"),
    "flat-voxels": (broken(PixelSpacing=[0, 1]), 6, "determinant is zero"),
    "lying-size": (broken(Rows=9000, Columns=30000), 6, "at most 134,217,728 voxels"),
    "lying-rows": (broken(Rows=400), 6, "cut short"),
    "lying-frames": (broken(NumberOfFrames=4), 1, "4 frames and places for 0"),
    "no-place": (broken(ImagePositionPatient=None), 6, "without position"),
    "slices-gone": (None, 8, "5 slices where there is room for 8"),
    "slice-gone": (None, 12, KEPT),
    "one-slice": (None, 1, KEPT),
    "mixed-directions": (turned, 8, KEPT),
}
GONE = {"slices-gone": (1, 2, 4), "slice-gone": (5,)}
CUTS = (3, 140, 400, 700, -20000, -1)


def write_nifti(folder: Path, head: np.ndarray) -> dict[str, str]:
    """Write volumes that are wrong; return what shall be told of each."""
    grid, plain = head.T.astype(np.float32), np.diag([1.0, 1, 5, 1])
    whole = nibabel.Nifti1Image(grid, plain).to_bytes()
    zipped = gzip.compress(whole, mtime=0)
    told = {}
    for cut in (0, 100, 351, 5000, len(whole) - 1):
        (folder / f"cut-{cut}.nii").write_bytes(whole[:cut])
        told[f"cut-{cut}.nii"] = "expected a"
    for cut in (1, 15, 200, len(zipped) - 9):
        (folder / f"cut-{cut}.nii.gz").write_bytes(zipped[:cut])
        told[f"cut-{cut}.nii.gz"] = "expected a"

    def header(name: str, change: Callable[[Any], None], words: str) -> None:
        image = nibabel.Nifti1Image(grid, plain)
        change(image.header)
        (folder / name).write_bytes(bytes(image.header.binaryblock) + whole[348:])
        told[name] = words

    header("lying-size.nii", lambda head: head["dim"].__setitem__(3, 400), "expected a whole NIfTI volume")
    header("huge.nii", lambda head: head["dim"].__setitem__(slice(1, 4), 32000), "at most 134,217,728 voxels")
    header("no-side.nii", lambda head: head["dim"].__setitem__(2, 0), "at least one voxel along each axis")
    header("far.nii", lambda head: head.__setitem__("vox_offset", 1e9), "voxels soon after the header")

    def flat(head: Any) -> None:
        head["srow_z"] = head["srow_y"]
        head["sform_code"], head["qform_code"] = 1, 0

    header("flat-voxels.nii", flat, "determinant is zero")
    nibabel.save(nibabel.Nifti1Image(np.full_like(grid, np.nan), plain), folder / "nan.nii.gz")
    run = nibabel.Nifti1Image(np.stack([grid, 2 * grid], axis=3), plain)
    nibabel.save(run, folder / "functional.nii.gz")
    return {**told, "nan.nii.gz": "finite voxel values", "functional.nii.gz": "--volume mean"}


@pytest.fixture(scope="module")
def head(phantom_table) -> np.ndarray:
    """Twelve slices of the phantom, uint16 (12, H, W)."""
    with phantom_table.open() as file:
        paths = [row["path"] for row in csv.DictReader(file) if row["label"] == "normal"][:12]
    return np.stack([read_picture(phantom_table.parent / path).pixels * 8 for path in paths]).astype(
        np.uint16
    )


@pytest.fixture
def study(tmp_path, head, write_series) -> tuple[Path, dict[str, str]]:
    """A folder with all of it; and what shall be told, by the beginning of the name."""
    folder, told = tmp_path / "study", {}
    for number, (name, (edit, count, words)) in enumerate(SERIES.items()):
        files = write_series(
            folder / name, head[:count], edit or (lambda *_: None), uid=f"1.2.{number}", spacing=(1.0, 1.0)
        )
        for gone in GONE.get(name, ()):
            files[gone].unlink()
        told[f"{name}/"] = words
    for cut in CUTS:
        place = folder / f"cut{cut}"
        (file,) = write_series(place, head[:1], uid=f"1.2.9{abs(cut)}")
        (place / "a.dcm").write_bytes(file.read_bytes()[:cut])
        file.unlink()
        told[f"cut{cut}/"] = "expected"
    told |= write_nifti(folder, head)
    write_series(folder / "good", head, uid="1.3", spacing=(1.0, 1.0))
    nibabel.save(
        nibabel.Nifti1Image(head.T.astype(np.float32), np.diag([1.0, 1, 5, 1])), folder / "good.nii.gz"
    )
    return folder, {**told, "good/": KEPT, "good.nii.gz": KEPT}


def test_every_fault_costs_its_own_row_and_the_good_ones_are_scored(study, tmp_path, nearest_file, atypia):
    folder, told = study
    out = tmp_path / "out"
    done = atypia("score", nearest_file, folder, "-o", out, "--results", "nifti")
    assert done.code == 1
    assert "Traceback" not in done.err + done.out
    with (out / "findings.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    with (out / "volumes.csv").open(newline="") as file:
        volumes = {row["volume"] for row in csv.DictReader(file)}
    wrong: list[tuple[object, ...]] = []
    for start, words in told.items():
        errors = [row["error"] for row in rows if row["name"].startswith(start)]
        good = bool(errors) and (
            not any(errors) if words is KEPT else len(errors) == 1 and words in errors[0]
        )
        listed = any(volume.startswith(start) for volume in volumes)
        if not (good and listed):
            wrong.append((start, words, errors, listed))
    assert wrong == []
    assert not any("Planted" in row["error"] or "4711" in row["error"] for row in rows)
    scores = {row["name"]: row["score"] for row in rows}
    slices = [name.rpartition(":")[2] for name in scores if name.startswith("good.nii.gz:")]
    assert len(slices) == 12
    assert all(float(scores[f"good.nii.gz:{name}"]) > 0 for name in slices)
