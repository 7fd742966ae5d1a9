"""A series becomes a volume, whatever its files are called, and says what is odd about it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from atypia.errors import UnreadableScan
from atypia.reading.dicom import read_dicom, read_series, series_of


def one(folder: Path):
    (series,) = read_series(folder)
    return series


def test_a_shuffled_series_is_sorted_by_place(tmp_path, slices, write_series):
    files = write_series(tmp_path, slices)
    volume = read_dicom(files[5])
    assert volume.pixels.dtype == np.float32
    assert np.array_equal(volume.pixels, slices.transpose(2, 1, 0))
    assert volume.path == files[0] == series_of(files[3]).path
    assert volume.name == "series-003"
    assert volume.spacing == (0.75, 1.5, 5.0)
    assert (volume.sequence, volume.modality, volume.plane, volume.notes) == ("T2", "MR", "axial", ())
    # The middle of the first pixel is 10 mm right and 20 mm in front: DICOM counts left and posterior.
    assert np.allclose(volume.affine @ [0, 0, 0, 1], [10, 20, 30, 1])
    assert np.allclose(volume.affine @ [1, 2, 3, 1], [10 - 0.75, 20 - 3, 45, 1])


def test_an_axial_slice_is_shown_as_it_was_stored(tmp_path, slices, write_series):
    files = write_series(tmp_path, slices)
    shown = read_dicom(files[0]).slice("axial", 2)
    assert np.array_equal(shown.pixels, slices[2])
    assert shown.spacing == (1.5, 0.75)


@pytest.mark.parametrize(
    ("orientation", "step", "plane"),
    [
        ((1, 0, 0, 0, 0, -1), (0, 5, 0), "coronal"),
        ((0, 1, 0, 0, 0, -1), (5, 0, 0), "sagittal"),
        ((0, 1, 0, 0, 0, -1), (-5, 0, 0), "sagittal"),
    ],
)
def test_other_planes_are_shown_as_they_were_stored(tmp_path, slices, write_series, orientation, step, plane):
    files = write_series(tmp_path, slices, orientation=orientation, step=step)
    volume = read_dicom(files[0])
    assert volume.plane == plane
    assert all(
        any(np.array_equal(volume.slice(plane, k).pixels, image) for image in slices) for k in range(8)
    )


def test_rescale_signed_and_monochrome1(tmp_path, write_series):
    stored = np.arange(-192, 288, dtype=np.int16).reshape(1, 20, 24).repeat(2, axis=0)

    def edit(data, index):
        data.RescaleSlope, data.RescaleIntercept = 0.5, 10
        data.BitsStored, data.HighBit = 12, 11
        data.PhotometricInterpretation = "MONOCHROME1" if index else "MONOCHROME2"

    volume = read_dicom(write_series(tmp_path, stored, edit)[0])
    assert np.array_equal(volume.pixels[..., 0].T, stored[0] * 0.5 + 10)
    assert np.array_equal(volume.pixels[..., 1].T, (-1 - stored[0]) * 0.5 + 10)


def test_padding_becomes_the_least_of_the_other_values(tmp_path, write_series):
    stored = np.full((2, 20, 24), 300, np.int16)
    stored[:, 3:, :] = 500
    stored[:, :2] = -2000

    def edit(data, _index):
        data.PixelPaddingValue = -2000

    assert set(np.unique(read_dicom(write_series(tmp_path, stored, edit)[0]).pixels)) == {300, 500}


def test_a_missing_slice_is_left_empty_and_told(tmp_path, slices, write_series):
    files = write_series(tmp_path, slices)
    files[3].unlink()
    volume = read_dicom(files[0])
    assert volume.pixels.shape == (24, 20, 8)
    assert np.ptp(volume.pixels[..., 3]) == 0
    assert np.array_equal(volume.pixels[..., 4].T, slices[4])
    assert volume.notes == ("1 of 8 slices missing, left empty: 3",)


def test_a_slice_that_cannot_be_read_is_left_empty_and_told(tmp_path, slices, write_series):
    files = write_series(tmp_path, slices)
    files[6].write_bytes(files[6].read_bytes()[:-100])
    volume = read_dicom(files[0])
    assert np.ptp(volume.pixels[..., 6]) == 0
    assert volume.notes == ("slices that could not be read, left empty: 6",)
    files[5].write_bytes(files[5].read_bytes()[:-100])
    with pytest.raises(UnreadableScan, match="cut short"):
        read_dicom(files[0])


def test_a_series_with_many_missing_slices_is_refused(tmp_path, slices, write_series):
    files = write_series(tmp_path, slices)
    for index in (2, 3, 5):
        files[index].unlink()
    with pytest.raises(UnreadableScan, match="5 slices where there is room for 8"):
        read_dicom(files[0])


def test_uneven_distances_are_refused(tmp_path, slices, write_series):
    def edit(data, index):
        if index > 4:
            data.ImagePositionPatient = [-10, -20, 32 + 5 * index]

    with pytest.raises(UnreadableScan, match=r"from 5\.00 to 7\.00 mm"):
        read_dicom(write_series(tmp_path, slices, edit)[0])


def test_a_tilted_gantry_is_kept_in_the_affine_and_told(tmp_path, slices, write_series):
    volume = read_dicom(write_series(tmp_path, slices, step=(0.0, 1.0, 5.0))[0])
    assert volume.notes == ("the slices lean by 11.3 degrees",)
    assert np.allclose(volume.affine[:3, 2], [0, -1, 5])


def test_a_slice_off_the_line_is_refused(tmp_path, slices, write_series):
    def edit(data, index):
        if index == 4:
            data.ImagePositionPatient = [3, -20, 50]

    with pytest.raises(UnreadableScan, match=r"some that lie 13\.0 mm beside it"):
        read_dicom(write_series(tmp_path, slices, edit)[0])


def test_a_file_copied_and_an_image_sent_twice_are_taken_once(tmp_path, slices, write_series):
    files = write_series(tmp_path, slices)
    shutil.copy(files[2], tmp_path / "copy")

    def again(data, index):
        data.ImagePositionPatient, data.PixelData = [-10, -20, 35], slices[1].tobytes()
        data.SOPInstanceUID, data.AcquisitionNumber, data.TriggerTime = generate_uid(), index, index

    write_series(tmp_path / "other", slices[:1], again)[0].rename(tmp_path / "sent-again")
    volume = read_dicom(files[0])
    assert np.array_equal(volume.pixels, slices.transpose(2, 1, 0))
    assert volume.notes == ("2 images that came twice were left out",)


def test_other_images_in_one_place_without_a_header_that_tells_are_refused(tmp_path, slices, write_series):
    write_series(tmp_path, slices)
    for file in write_series(tmp_path / "b", slices + 1):
        file.rename(tmp_path / f"b{file.name}")
    assert "16 for 8 places" in str(one(tmp_path).error)


def test_echoes_of_one_series_are_volumes_of_their_own(tmp_path, slices, write_series):
    def echo(time):
        def edit(data, _index):
            data.EchoTime, data.AcquisitionNumber = time, 1

        return edit

    write_series(tmp_path, slices, echo(20))
    for file in write_series(tmp_path / "b", slices + 1, echo(90)):
        file.rename(tmp_path / f"b{file.name}")
    first, second = read_series(tmp_path)
    assert (first.name, second.name) == ("series-003", "series-003-2")
    assert np.array_equal(read_dicom(second.path).pixels, slices.transpose(2, 1, 0) + 1)


def test_two_series_in_one_folder_are_told_apart(tmp_path, slices, write_series):
    def numbered(data, _index):
        data.SeriesNumber = 11

    write_series(tmp_path, slices)
    write_series(tmp_path, slices[:5] + 7, numbered, uid="1.2.3.4.2")
    assert [series.name for series in read_series(tmp_path)] == ["series-003", "series-011"]
    assert read_dicom(read_series(tmp_path)[1].path).pixels.shape == (24, 20, 5)


def test_one_slice_is_a_volume(tmp_path, slices, write_series):
    volume = read_dicom(write_series(tmp_path, slices[:1])[0])
    assert volume.pixels.shape == (24, 20, 1)
    assert volume.spacing == (0.75, 1.5, 5.0)
    assert volume.notes == ("a series of one slice",)


def test_an_enhanced_file_is_sorted_frame_by_frame(tmp_path, slices, write_enhanced):
    places = [30.0, 10.0, 20.0, 0.0, 50.0, 40.0, 70.0, 60.0]
    volume = read_dicom(write_enhanced(tmp_path / "enhanced.dcm", slices, places))
    assert np.array_equal(volume.pixels, slices[np.argsort(places)].transpose(2, 1, 0) * 2.0 - 1)
    assert volume.spacing == (0.75, 1.5, 10.0)


def test_an_enhanced_file_with_too_few_places_is_refused(tmp_path, slices, write_enhanced):
    path = write_enhanced(tmp_path / "e.dcm", slices, [1.0, 2.0, 3.0])
    with pytest.raises(UnreadableScan, match="8 frames and places for 3"):
        read_dicom(path)


@pytest.mark.parametrize(
    "form", ["RLE", "jp2klossless", "jpeg_ls_lossless", "bigendian", "implicit", "padded"]
)
def test_every_form_of_the_same_image_reads_alike(tmp_path, form):
    if "j" in form:
        pytest.importorskip("gdcm", reason="the extra 'dicom' decodes compressed pixels")
    read = []
    for name in ("MR_small.dcm", f"MR_small_{form}.dcm"):
        folder = tmp_path / name
        folder.mkdir()
        read.append(read_dicom(Path(shutil.copy(get_testdata_file(name, download=False), folder))))
    assert read[0].pixels.shape == (64, 64, 1)
    assert np.array_equal(read[0].pixels, read[1].pixels)


def test_a_truncated_file_is_told(tmp_path):
    path = Path(shutil.copy(get_testdata_file("MR_truncated.dcm", download=False), tmp_path))
    with pytest.raises(UnreadableScan, match="cut short"):
        read_dicom(path)
