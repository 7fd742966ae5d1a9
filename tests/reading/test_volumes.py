from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

from atypia.errors import BadTable, UnreadableScan
from atypia.reading import volumes
from atypia.reading.collection import Collection, read_collection, read_collections, write_collection
from atypia.reading.row import Row
from atypia.reading.rows import read_row, read_row_mask
from atypia.reading.volumes import list_slices, open_volume, same_grid, with_slices

SHAPE = (32, 36, 24)


def save(path: Path, pixels: np.ndarray, affine: np.ndarray | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(pixels, np.eye(4) if affine is None else affine), path)
    return path


def head(seed: int = 0, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """An ellipsoid that reaches 0.8 of the way to each side, on a background with some noise."""
    places = np.stack(np.meshgrid(*(np.linspace(-1, 1, side) for side in shape), indexing="ij"))
    noise = np.random.default_rng(seed).uniform(0, 30, shape)
    return (1000 * ((places**2).sum(axis=0) < 0.64) + noise).astype(np.float32)


@pytest.fixture
def scan(tmp_path) -> Path:
    return save(tmp_path / "a.nii.gz", head())


def test_a_slice_is_a_scan_of_its_own(scan):
    rows = list_slices(Row(scan, "x/a.nii.gz", group="g", split="test"))
    assert rows[3].name == f"x/a.nii.gz:ax{rows[3].slice:03}"
    assert {(row.plane, row.group, row.split, row.path) for row in rows} == {("axial", "g", "test", scan)}
    read = read_row(rows[3])
    assert (read.name, read.group, read.plane) == (rows[3].name, "g", "axial")
    np.testing.assert_array_equal(read.pixels, open_volume(scan).slice("axial", rows[3].slice).pixels)


@pytest.mark.parametrize("scale", [1.0, -0.001, 3000.0])
def test_slices_with_a_fifth_of_the_head_are_listed(tmp_path, scale):
    pixels = head()
    rows = list_slices(Row(save(tmp_path / "a.nii", pixels * np.float32(scale)), "a"))
    areas = (pixels > 500).sum(axis=(0, 1))
    expected = set(np.flatnonzero(areas >= 0.2 * areas.max()))
    listed = {row.slice for row in rows}
    assert len(listed ^ expected) <= 2
    assert 10 < len(listed) < SHAPE[2]


def test_an_empty_volume_is_listed_whole(tmp_path):
    assert len(list_slices(Row(save(tmp_path / "a.nii", np.zeros(SHAPE, np.float32)), "a"))) == SHAPE[2]


def test_the_plane_may_be_named(scan):
    assert {row.plane for row in list_slices(Row(scan, "a", plane="sagittal"))} == {"sagittal"}
    with pytest.raises(BadTable, match="axial, coronal, sagittal, or none; received 'oblique'"):
        list_slices(Row(scan, "a", plane="oblique"))


def test_with_a_mask_a_slice_is_abnormal_where_the_mask_is(tmp_path, scan):
    marked = np.zeros(SHAPE, np.uint8)
    marked[10:13, 20:22, 11:14] = 4
    mask = save(tmp_path / "a_mask.nii.gz", marked)
    row = Row(scan, "a", label="abnormal", mask=mask)
    rows = list_slices(row)
    assert {row.slice for row in rows if row.label == "abnormal"} == {11, 12, 13}
    assert {(row.slice in (11, 12, 13), row.mask) for row in rows} == {(True, mask), (False, None)}
    assert {row.label for row in rows} == {"normal", "abnormal"}
    truth = read_row_mask(next(row for row in rows if row.label == "abnormal"))
    assert truth.dtype == bool
    assert truth.sum() == 6
    assert truth[36 - 1 - 20, 32 - 1 - 10]
    assert {row.label for row in list_slices(replace(row, split="tumor_test"))} == {None, "abnormal"}
    assert {row.label for row in list_slices(replace(row, mask=None))} == {"abnormal"}


@pytest.mark.parametrize(
    ("shape", "affine", "told"),
    [((32, 36, 23), np.eye(4), "23"), (SHAPE, np.diag([1, 1, -1, 1.0]), "another affine")],
)
def test_a_mask_on_another_grid_costs_its_volume_alone(tmp_path, scan, shape, affine, told):
    mask = save(tmp_path / "m.nii.gz", np.ones(shape, np.uint8), affine)
    rows = with_slices([Row(scan, "a", label="abnormal", mask=mask), Row(scan, "b")])
    assert rows[0].slice is None
    assert len(rows) > 10
    with pytest.raises(UnreadableScan, match=rf"m\.nii\.gz: expected a mask on the grid .*{told}"):
        read_row(rows[0])


def test_a_picture_is_no_mask_of_a_volume(tmp_path, scan):
    with pytest.raises(UnreadableScan, match="expected a mask that is a volume"):
        list_slices(Row(scan, "a", label="abnormal", mask=tmp_path / "m.png"))


def test_affines_that_differ_by_rounding_are_one_grid(scan):
    one = open_volume(scan)
    assert same_grid(one, replace(one, affine=one.affine + 1e-4))
    assert not same_grid(one, replace(one, affine=one.affine + np.eye(4) * 0.5))


def test_an_unreadable_volume_is_one_row_with_its_reason(tmp_path, scan):
    (tmp_path / "b.nii.gz").write_bytes(scan.read_bytes()[:-500])
    collection = read_collection(tmp_path)
    bad = [row for row in collection if row.slice is None]
    assert [row.name for row in bad] == ["b.nii.gz"]
    assert len(collection) > 10
    with pytest.raises(UnreadableScan, match=r"b\.nii\.gz: expected a whole NIfTI volume"):
        read_row(bad[0])


def test_a_bids_data_set_lists_its_anatomy_by_subject(tmp_path):
    for subject in ("sub-01", "sub-02"):
        save(tmp_path / subject / "ses-1/anat" / f"{subject}_ses-1_FLAIR.nii.gz", head())
        save(tmp_path / subject / "func" / f"{subject}_bold.nii.gz", head())
        save(tmp_path / "derivatives/x" / subject / "anat" / f"{subject}_T1w.nii.gz", head())
        save(tmp_path / subject / "ses-1/anat" / f"{subject}_label-lesion_roi.nii.gz", head())
    collection = read_collection(tmp_path)
    assert {row.group for row in collection} == {"sub-01", "sub-02"}
    assert {row.name.partition(":")[0] for row in collection} == {
        f"sub-0{n}/ses-1/anat/sub-0{n}_ses-1_FLAIR.nii.gz" for n in (1, 2)
    }
    assert {row.sequence for row in collection} == {"FLAIR"}


def test_masks_and_label_maps_are_no_scans_and_folders_are_groups(tmp_path):
    for name in ("p1/flair", "p1/t1", "p1/brainmask", "p1/aparc_seg", "p1/OTMultiClass", "glioma/p2", "p3"):
        save(tmp_path / f"{name}.nii.gz", head())
    collection = read_collection(tmp_path)
    groups = {row.name.partition(":")[0]: (row.group, row.label) for row in collection}
    assert groups == {
        "glioma/p2.nii.gz": ("glioma/p2", "abnormal"),
        "p1/flair.nii.gz": ("p1", None),
        "p1/t1.nii.gz": ("p1", None),
        "p3.nii.gz": ("p3", None),
    }


def test_a_mask_beside_a_volume_or_in_a_folder_of_masks_is_its_mask(tmp_path):
    marked = np.zeros(SHAPE, np.uint8)
    marked[:, :, 12] = 1
    for place in ("tumor/a_mask.nii.gz", "tumor/masks/b.nii"):
        save(tmp_path / place, marked)
    for name in ("a", "b"):
        save(tmp_path / f"tumor/{name}.nii.gz", head())
    collection = read_collection(tmp_path)
    assert [row.name for row in collection.select(label="abnormal")] == [
        "tumor/a.nii.gz:ax012",
        "tumor/b.nii.gz:ax012",
    ]
    assert len(collection.select(label="normal")) > 10


def test_a_folder_of_masks_alone_is_told(tmp_path):
    save(tmp_path / "brain_mask.nii.gz", head())
    with pytest.raises(BadTable, match="received 1 volumes of which none is one by its name"):
        read_collection(tmp_path)


def test_a_volume_by_its_own_name_is_taken_whatever_it_is_called(tmp_path):
    path = save(tmp_path / "brain_mask.nii.gz", head())
    assert read_collection(path).rows[0].name.startswith("brain_mask.nii.gz:ax")


def test_pictures_and_volumes_may_stand_together(tmp_path, scan):
    from PIL import Image

    Image.fromarray(np.zeros((20, 20), np.uint8)).save(tmp_path / "c.png")
    rows = read_collection(tmp_path).rows
    assert rows[-1] == Row(tmp_path / "c.png", "c.png")
    assert rows[0].path == scan


def test_a_table_of_slices_is_read_back_as_it_was(tmp_path, scan):
    marked = np.zeros(SHAPE, np.uint8)
    marked[12:15, 12:15, 12] = 1
    mask = save(tmp_path / "m.nii.gz", marked)
    listed = read_collection(scan).rows[4:7]
    rows = (*listed, *list_slices(Row(scan, "a.nii.gz", plane="coronal", label="abnormal", mask=mask)))
    for suffix in (".csv", ".parquet"):
        table = tmp_path / f"table{suffix}"
        write_collection(Collection(rows, "x"), table)
        assert read_collection(table).rows == rows


def test_a_table_may_list_volumes_and_single_slices(tmp_path, scan):
    table = tmp_path / "t.csv"
    table.write_text("path,plane,slice,group\na.nii.gz,coronal,,p\na.nii.gz,axial,7,p\n")
    rows = read_collection(table).rows
    assert rows[-1] == Row(scan, "a.nii.gz:ax007", group="p", plane="axial", slice=7)
    assert {row.plane for row in rows[:-1]} == {"coronal"}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("a.nii.gz,,7", "a plane to cut the volume in"),
        ("a.nii.gz,oblique,", "a plane to cut the volume in"),
        ("a.nii.gz,axial,-1", "the number of a slice"),
        ("a.nii.gz,axial,x", "the number of a slice"),
    ],
)
def test_a_table_that_names_no_slice_is_refused(tmp_path, line, told):
    (tmp_path / "t.csv").write_text(f"path,plane,slice\n{line}\n")
    with pytest.raises(BadTable, match=f"row 2: expected {told}"):
        read_collection(tmp_path / "t.csv")


def test_the_same_slice_twice_is_refused_and_a_slice_of_a_picture_is_ignored(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("path,plane,slice\na.nii.gz,axial,7\na.nii.gz,axial,7\n")
    with pytest.raises(BadTable, match="every scan once"):
        read_collection(table)
    table.write_text("path,slice\na.png,7\nb.png,x\n")
    assert [row.slice for row in read_collection(table)] == [None, None]


@pytest.mark.usefixtures("scan")
def test_a_slice_beyond_the_volume_is_told(tmp_path):
    (tmp_path / "t.csv").write_text("path,plane,slice\na.nii.gz,axial,99\n")
    with pytest.raises(UnreadableScan, match="a slice axial from 0 to 23, received the slice 99"):
        read_row(read_collection(tmp_path / "t.csv").rows[0])


def test_a_volume_from_two_sources_is_taken_once(tmp_path, scan):
    other = save(tmp_path / "b/a.nii.gz", head(1))
    once = len(read_collection(scan))
    joined = read_collections([scan, tmp_path, other])
    assert len(joined) == once + len(read_collection(other))
    assert len({row.name for row in joined}) == len(joined)
    assert {row.name.partition(":")[0] for row in joined} == {"a.nii.gz", "b/a.nii.gz"}


def test_threads_share_a_volume_that_is_read_once(scan):
    read = []
    kept = volumes._Recent(lambda path, _volume: read.append(path) or open_volume(path))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(kept.get, [scan] * 20))
    assert len({id(volume) for volume in found}) == len(read) == 1


def test_few_large_and_many_small_volumes_are_kept(tmp_path, monkeypatch):
    paths = [save(tmp_path / f"{n}.nii", head(n)) for n in range(4)]
    size = open_volume(paths[0]).pixels.nbytes
    for room, expected in ((0, 2), (3 * size, 3), (9 * size, 4)):
        monkeypatch.setattr(volumes, "_KEPT_BYTES", room)
        kept = volumes._Recent(lambda path, _volume: open_volume(path))
        for path in paths:
            kept.get(path)
        assert len(kept._kept) == expected


def test_a_file_that_changed_is_read_anew(tmp_path):
    path = save(tmp_path / "a.nii", head())
    before = open_volume(path)
    save(path, head(1, (20, 20, 20)))
    assert open_volume(path).pixels.shape != before.pixels.shape
