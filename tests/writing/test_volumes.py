from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

from atypia.detectors import Nearest
from atypia.preparation import Preparation
from atypia.reading.collection import Collection, read_collection
from atypia.reading.rows import read_row
from atypia.reading.volume import Volume
from atypia.scan import Finding
from atypia.screener import Screener
from atypia.screening import score_to_folder
from atypia.threshold import volume_score
from atypia.writing.nifti import write_nifti
from atypia.writing.volume_gathering import VolumeGathering
from atypia.writing.volumes import VolumesWriter

AFFINE = np.array([[0, 0, 2.0, -9], [-1, 0, 0, 5], [0, 1, 0, 3], [0, 0, 0, 1]])
SLICES = 6


@pytest.fixture(scope="module")
def folder(draw_heads, tmp_path_factory) -> Path:
    """Eight healthy subjects of six sagittal slices on an unusual grid, one with a lesion, one damaged."""
    root = tmp_path_factory.mktemp("volumes")
    for subject in range(9):
        heads, _ = draw_heads(SLICES, seed=subject, lesion=0.7 if subject == 8 else 0.0)
        volume = Volume(np.zeros((64, 64, SLICES), np.float32), AFFINE, "v")
        grid = volume.empty()
        for index, pixels in enumerate(heads):
            volume.place(grid, "sagittal", index, 800 * pixels.astype(np.float32))
        nibabel.save(nibabel.Nifti1Image(grid, AFFINE), root / f"sub-{subject}_T1w.nii.gz")
    (root / "sub-9_T1w.nii.gz").write_bytes((root / "sub-0_T1w.nii.gz").read_bytes()[:999])
    return root


@pytest.fixture(scope="module")
def scans(folder) -> Collection:
    return read_collection(folder)


@pytest.fixture(scope="module")
def screener(scans) -> Screener:
    healthy = tuple(row for row in scans if row.group not in ("sub-8", "sub-9"))
    detector = Nearest("efficientnet-lite0", components=8, threads=1)
    screener = Screener(detector, Preparation(size=64), rule="quantile", parameter=0.9)
    aside = tuple(row for row in healthy if row.group in ("sub-0", "sub-1", "sub-2"))
    learned = tuple(row for row in healthy if row not in aside)
    return screener.fit(replace(scans, rows=learned), calibration=replace(scans, rows=aside))


def of_subject(scans: Collection, *subjects: str) -> Collection:
    return replace(scans, rows=tuple(row for row in scans if row.group in subjects))


def rows_of(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_volume_has_its_row_its_map_and_its_slices_to_look_at(screener, scans, tmp_path):
    tally = score_to_folder(screener, scans, tmp_path, heatmaps=True, judge_all=True)
    rows = rows_of(tmp_path / "volumes.csv")
    findings = {row["name"]: row for row in rows_of(tmp_path / "findings.csv")}
    assert [row["volume"] for row in rows] == [f"sub-{n}_T1w.nii.gz" for n in range(10)]
    assert (tally.volumes, tally.volumes_table) == (10, tmp_path / "volumes.csv")
    for number, row in enumerate(rows[:9], 1):
        scores = {
            name.rpartition(":")[2]: float(finding["score"])
            for name, finding in findings.items()
            if name.startswith(f"{row['volume']}:")
        }
        assert (row["slices"], row["judged"], row["unfit"], row["error"]) == ("6", "6", "0", "")
        assert (row["plane"], row["map"]) == ("sagittal", f"heatmaps/volume-{number:04}.nii.gz")
        assert float(row["highest"]) == pytest.approx(max(scores.values()))
        assert float(row["score"]) == pytest.approx(volume_score(list(scores.values())))
        assert row["look_at"].split() == sorted(scores, key=lambda name: -scores[name])[:3]
        assert float(row["p_value"]) in (0.25, 0.5, 0.75, 1.0)
    assert float(rows[8]["p_value"]) == 0.25, "nothing healthy scores as high as the one with a lesion"
    assert rows[9]["error"].startswith("sub-9_T1w.nii.gz: expected a whole NIfTI volume")
    assert [rows[9][name] for name in ("slices", "score", "map", "files", "regions")] == [
        "0",
        "",
        "",
        "",
        "0",
    ]


def test_map_and_mask_lie_on_the_grid_of_their_volume(screener, scans, folder, tmp_path):
    ill = of_subject(scans, "sub-8")
    score_to_folder(screener, ill, tmp_path, heatmaps=True, judge_all=True)
    image = nibabel.load(tmp_path / "heatmaps/volume-0001.nii.gz")
    mask = nibabel.load(tmp_path / "heatmaps/volume-0001-mask.nii.gz")
    source = nibabel.load(folder / "sub-8_T1w.nii.gz")
    for one, kind in ((image, np.float32), (mask, np.uint16)):
        assert one.shape == source.shape
        np.testing.assert_allclose(one.affine, source.affine)
        assert one.get_data_dtype() == kind
        assert b"Research use only" in bytes(one.header["descrip"])
    volume = Volume(image.get_fdata(dtype=np.float32), image.affine, "map")
    labels = volume.stacked(np.asarray(mask.dataobj), "sagittal")
    for row, finding in zip(ill, screener.score(ill, judge_all=True), strict=True):
        np.testing.assert_array_equal(volume.slice(row.plane, row.slice).pixels, finding.heatmap)
        assert finding.heatmap.shape == read_row(row).pixels.shape
        np.testing.assert_array_equal(labels[row.slice] > 0, finding.region_map > 0)
    pictures = sorted(path.name for path in (tmp_path / "heatmaps").glob("*.png"))
    look_at = rows_of(tmp_path / "volumes.csv")[0]["look_at"].split()
    assert pictures == sorted(f"volume-0001-{name}.png" for name in look_at)


def test_the_regions_of_a_volume_are_told_by_rank_and_match_the_mask(screener, scans, tmp_path):
    tally = score_to_folder(screener, of_subject(scans, "sub-8"), tmp_path, judge_all=True, results=["nifti"])
    regions = rows_of(tmp_path / "volume_regions.csv")
    labels = np.asarray(nibabel.load(tmp_path / "heatmaps/volume-0001-mask.nii.gz").dataobj)
    assert len(regions) == tally.volume_regions == labels.max() > 0
    assert rows_of(tmp_path / "volumes.csv")[0]["regions"] == str(len(regions))
    for rank, region in enumerate(regions, 1):
        assert (region["rank"], region["volume"]) == (str(rank), "sub-8_T1w.nii.gz")
        assert int(region["voxels"]) == np.count_nonzero(labels == rank)
        assert float(region["volume_mm3"]) == pytest.approx(2 * int(region["voxels"]))
        assert 0 < float(region["p_value"]) <= 0.1
    assert tally.folders == (tmp_path / "heatmaps",)
    assert not list((tmp_path / "heatmaps").glob("*.png")), "pictures come with heatmaps alone"


def test_no_file_has_the_name_of_a_scan_and_every_file_is_listed(screener, scans, tmp_path):
    kinds = ["nifti", "html"]
    score_to_folder(screener, of_subject(scans, "sub-7", "sub-8"), tmp_path, "jsonl", True, True, kinds)
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert "sub-" not in " ".join(written)
    rows = [json.loads(line) for line in (tmp_path / "volumes.jsonl").read_text().splitlines()]
    listed = {name for row in rows for name in row["files"].split()}
    assert len(listed) == 2 * (3 + 2 + 1)
    assert written - listed == {
        f"{name}.jsonl" for name in ("findings", "regions", "volumes", "volume_regions")
    }


def test_without_volumes_there_is_no_table_of_volumes(screener, scans, tmp_path):
    none = replace(scans, rows=())
    tally = score_to_folder(screener, none, tmp_path, results=["html"])
    assert not list(tmp_path.glob("volume*"))
    assert (tally.volumes, tally.volumes_table) == (0, None)
    assert list(tally.left_out) == ["html"]


def test_without_known_patients_there_is_no_p_value(screener, scans, tmp_path):
    alone = replace(screener, provenance={**screener.provenance, "grouped": False})
    score_to_folder(alone, replace(scans, rows=scans.rows[:SLICES]), tmp_path, judge_all=True)
    assert [row["p_value"] for row in rows_of(tmp_path / "volumes.csv")] == [""]
    assert not (tmp_path / "heatmaps").exists()


def test_unfit_slices_are_counted_and_leave_the_map_empty(scans, tmp_path):
    gathering = VolumeGathering(None, maps=True)
    for place, row in enumerate(scans.rows[:SLICES]):
        heat = np.full(read_row(row).pixels.shape, 1 + place, np.float32)
        unfit = "unlike" if place < 4 else None
        flagged = None if unfit else False
        assert (
            gathering.add(row, Finding(row.name, float(place), 0.5, flagged, 9.0, heat, unfit=unfit)) is None
        )
    found = gathering.finish()
    assert found is not None
    assert gathering.finish() is None
    assert (found.judged, found.flagged, found.unfit, found.highest, found.score) == (2, 0, 4, 5.0, 4.5)
    assert np.unique(found.heat).tolist() == [0, 5, 6]
    assert (found.look_at, found.look_at_names) == ((5, 4), ("sa005", "sa004"))
    assert [one.flagged for one in found.slice_findings] == [None] * 4 + [False] * 2
    with VolumesWriter(tmp_path / "v.jsonl") as writer:
        writer.write(found)
    assert '"judged": 2, "flagged": 0, "unfit": 4, "highest": 5.0, "score": 4.5' in writer.path.read_text()


def test_a_volume_that_is_gone_costs_its_own_row(screener, scans, folder, tmp_path):
    """Its slices were listed, then the file vanished: the volume after it is judged."""
    gone = tmp_path / "gone.nii.gz"
    shutil.copy(folder / "sub-0_T1w.nii.gz", gone)
    rows = (*read_collection(gone).rows, *of_subject(scans, "sub-1").rows)
    gone.unlink()
    kinds = ["nifti", "html"]
    tally = score_to_folder(
        screener, Collection(rows, "two"), tmp_path / "out", heatmaps=True, judge_all=True, results=kinds
    )
    lost, kept = rows_of(tmp_path / "out/volumes.csv")
    assert (tally.judged, tally.unreadable) == (SLICES, SLICES)
    assert (lost["judged"], lost["score"], lost["map"]) == ("0", "", "")
    assert "gone.nii.gz: expected" in lost["error"]
    assert (kept["judged"], kept["map"]) == ("6", "heatmaps/volume-0002.nii.gz")


def test_a_volume_cut_in_two_planes_is_told_once_for_each(scans):
    gathering = VolumeGathering(None, maps=True)
    row = scans.rows[0]
    other = replace(row, name=row.name.replace(":sa", ":ax"), plane="axial")
    shapes = [(64, 64), (64, SLICES)]
    first = [Finding(row.name, 1.0, 0.5, False, 9.0, np.ones(shapes[0], np.float32))]
    second = [Finding(other.name, 2.0, 0.5, False, 9.0, np.ones(shapes[1], np.float32))]
    assert gathering.add(row, first[0]) is None
    done = gathering.add(other, second[0])
    assert done is not None
    assert (done.plane, done.number, done.score) == ("sagittal", 1, 1.0)
    last = gathering.finish()
    assert last is not None
    assert (last.plane, last.number, last.name) == ("axial", 2, done.name)


def test_the_same_map_gives_the_same_bytes(tmp_path, rng):
    grid = rng.normal(size=(4, 5, 6)).astype(np.float32)
    for name in ("a", "b"):
        write_nifti(grid, AFFINE, tmp_path / f"{name}.nii.gz", name="heat map", window=(1.0, 2.5))
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()
    image = nibabel.load(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(image.get_fdata(dtype=np.float32), grid)
    assert (float(image.header["cal_min"]), float(image.header["cal_max"])) == (1.0, 2.5)
