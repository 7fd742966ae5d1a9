from __future__ import annotations

import gzip
from contextlib import suppress

import nibabel
import numpy as np
import pytest

from atypia.errors import UnreadableScan
from atypia.reading.nifti import holds_several, read_nifti

SHAPE = (18, 20, 17)


@pytest.fixture
def pixels(rng) -> np.ndarray:
    return rng.integers(0, 1000, SHAPE).astype(np.int16)


@pytest.fixture
def file(tmp_path, pixels):
    path = tmp_path / "a.nii.gz"
    nibabel.save(nibabel.Nifti1Image(pixels, np.diag([1, 2, 3, 1.0])), path)
    return path


def test_values_affine_and_name_are_those_of_the_file(file, pixels):
    volume = read_nifti(file, group="g")
    assert volume.pixels.dtype == np.float32
    np.testing.assert_array_equal(volume.pixels, pixels)
    np.testing.assert_array_equal(volume.affine, np.diag([1, 2, 3, 1.0]))
    assert (volume.name, volume.path, volume.group, volume.notes) == ("a.nii.gz", file, "g", ())


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_both_versions_compressed_or_not(tmp_path, pixels, kind, suffix):
    path = tmp_path / f"a{suffix}"
    nibabel.save(kind(pixels, np.eye(4)), path)
    np.testing.assert_array_equal(read_nifti(path).pixels, pixels)


def test_the_content_tells_whether_it_is_compressed(tmp_path, file, pixels):
    plain, zipped = tmp_path / "plain.nii.gz", tmp_path / "zipped.nii"
    plain.write_bytes(gzip.decompress(file.read_bytes()))
    zipped.write_bytes(file.read_bytes())
    for path in (plain, zipped):
        np.testing.assert_array_equal(read_nifti(path).pixels, pixels)


def test_big_endian_and_slope_and_intercept(tmp_path, pixels):
    header = nibabel.Nifti1Header(endianness=">")
    header.set_data_dtype(np.int16)
    image = nibabel.Nifti1Image(pixels, np.eye(4), header)
    image.header.set_slope_inter(0.5, -3)
    path = tmp_path / "a.nii"
    content = bytearray(image.to_bytes())
    path.write_bytes(content)
    np.testing.assert_allclose(read_nifti(path).pixels, nibabel.load(path).get_fdata(), rtol=1e-6)
    scaled = nibabel.Nifti1Image(pixels.astype(np.float64) * 0.5 - 3, np.eye(4))
    scaled.set_data_dtype(np.int16)
    nibabel.save(scaled, path)
    assert not np.isnan(nibabel.load(path).dataobj.slope)
    np.testing.assert_allclose(read_nifti(path).pixels, pixels * 0.5 - 3, atol=0.02)


def test_what_is_no_number_becomes_0_and_is_told(tmp_path, pixels):
    values = pixels.astype(np.float32) + 1
    values[3, 3, :2] = np.nan, np.inf
    path = tmp_path / "a.nii.gz"
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), path)
    volume = read_nifti(path)
    assert volume.pixels[3, 3, :2].tolist() == [0, 0]
    assert volume.notes == ("2 voxels that were NaN or infinite were set to 0",)


def test_a_background_between_dark_and_bright_tissue_is_made_the_darkest(tmp_path, rng):
    brain = np.zeros(SHAPE, np.float32)
    brain[4:14, 4:16, 4:12] = rng.normal(size=(10, 12, 8))
    path = tmp_path / "a.nii.gz"
    nibabel.save(nibabel.Nifti1Image(brain, np.eye(4)), path)
    volume = read_nifti(path)
    assert volume.pixels[0, 0, 0] == brain.min() == volume.pixels.min()
    np.testing.assert_array_equal(volume.pixels[4:14, 4:16, 4:12], brain[4:14, 4:16, 4:12])
    assert "background of 0" in volume.notes[0]
    nibabel.save(nibabel.Nifti1Image(np.abs(brain), np.eye(4)), path)
    assert read_nifti(path).notes == ()


def test_a_file_that_does_not_say_how_the_patient_lay_says_so(tmp_path, pixels):
    image = nibabel.Nifti1Image(pixels, None)
    image.header["pixdim"][1:4] = 1, 1, 4
    path = tmp_path / "a.nii"
    nibabel.save(image, path)
    volume = read_nifti(path)
    assert "does not say how the patient lay" in volume.notes[0]
    assert volume.spacing == (1, 1, 4)


@pytest.mark.parametrize(
    ("shape", "read"), [((*SHAPE, 1), SHAPE), ((*SHAPE, 1, 1), SHAPE), ((18, 20), (18, 20, 1))]
)
def test_axes_of_length_1_are_no_axes(tmp_path, shape, read):
    path = tmp_path / "a.nii"
    nibabel.save(nibabel.Nifti1Image(np.ones(shape, np.float32), np.eye(4)), path)
    assert read_nifti(path).pixels.shape == read


@pytest.mark.parametrize(
    ("name", "sequence"),
    [("sub-1_T1w.nii.gz", "T1"), ("sub-1_acq-x_FLAIR.nii", "FLAIR"), ("brain.nii", None)],
)
def test_the_sequence_is_that_of_a_bids_name(tmp_path, pixels, name, sequence):
    nibabel.save(nibabel.Nifti1Image(pixels, np.eye(4)), tmp_path / name)
    assert read_nifti(tmp_path / name).sequence == sequence


def spoilt(image: nibabel.Nifti1Image, **fields: object) -> bytes:
    header = image.header.copy()
    for name, value in fields.items():
        header[name] = value
    content = image.to_bytes()
    return header.binaryblock + content[len(header.binaryblock) :]


BAD = {
    "a series": "received a series of volumes (18x20x17x3). Choose one of them",
    "flat voxels": "an affine whose determinant is zero",
    "cut short": "a damaged file",
    "cut short before it is zipped": "a damaged file",
    "an empty file": "received an empty file",
    "a text": "received something else",
    "longer than it is": "a damaged file",
    "too large": "a header that tells of 30000x30000x30000 = 27,000,000,000,000. Make the volume smaller",
    "no voxels": "at least one voxel along each axis, received 18x0x17",
    "negative": "at least one voxel along each axis, received 18x-5x17",
    "no axes": "at least one voxel along each axis, received none",
    "far away": "voxels soon after the header, received voxels from byte 1000000000000000",
    "colours": "expected one grey value for each voxel",
    "complex": "expected one grey value for each voxel",
    "nothing but NaN": "NaN or infinite ones alone",
    "half of a pair": "a header whose image is in another file",
    "an unknown type": "a damaged file",
    "not there": "no such file",
    "a folder": "received a folder",
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_read_is_told_with_the_file(case, tmp_path, pixels):
    path = tmp_path / "a.nii.gz"
    image = nibabel.Nifti1Image(pixels, np.eye(4))
    colours = np.zeros(SHAPE, [("R", "u1"), ("G", "u1"), ("B", "u1")])
    contents = {
        "a series": lambda: nibabel.Nifti1Image(np.ones((*SHAPE, 3), np.int16), np.eye(4)).to_bytes(),
        "flat voxels": lambda: spoilt(image, sform_code=1, srow_x=0),
        "cut short": lambda: gzip.compress(image.to_bytes())[:-2000],
        "cut short before it is zipped": lambda: gzip.compress(image.to_bytes()[:-2000]),
        "an empty file": lambda: b"",
        "a text": lambda: b"no volume at all" * 40,
        "longer than it is": lambda: spoilt(image, dim=[3, 18, 20, 400, 1, 1, 1, 1]),
        "too large": lambda: gzip.compress(spoilt(image, dim=[3, 30000, 30000, 30000, 1, 1, 1, 1])),
        "no voxels": lambda: spoilt(image, dim=[3, 18, 0, 17, 1, 1, 1, 1]),
        "negative": lambda: spoilt(image, dim=[3, 18, -5, 17, 1, 1, 1, 1]),
        "no axes": lambda: spoilt(image, dim=[0, 18, 20, 17, 1, 1, 1, 1]),
        "far away": lambda: spoilt(nibabel.Nifti2Image(pixels, np.eye(4)), vox_offset=10**15),
        "colours": lambda: nibabel.Nifti1Image(colours, np.eye(4)).to_bytes(),
        "complex": lambda: nibabel.Nifti1Image(pixels.astype(np.complex64), np.eye(4)).to_bytes(),
        "nothing but NaN": lambda: nibabel.Nifti1Image(np.full(SHAPE, np.nan, "f4"), np.eye(4)).to_bytes(),
        "half of a pair": lambda: spoilt(image, magic=b"ni1"),
        "an unknown type": lambda: spoilt(image, datatype=99),
    }
    if case == "a folder":
        path.mkdir()
    elif case != "not there":
        path.write_bytes(contents[case]())
    with pytest.raises(UnreadableScan) as caught:
        read_nifti(path)
    assert str(caught.value).startswith(f"{path}: expected ")
    assert BAD[case] in str(caught.value)


def test_nothing_is_decompressed_beyond_a_header_that_asks_for_too_much(tmp_path, pixels, monkeypatch):
    image = nibabel.Nifti1Image(pixels, np.eye(4))
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(image.to_bytes() + bytes(50_000_000)))
    read = []
    whole = gzip.GzipFile.read
    monkeypatch.setattr(gzip.GzipFile, "read", lambda self, n=-1: read.append(n) or whole(self, n))
    with pytest.raises(UnreadableScan, match=f"at most {pixels.size - 1:,} voxels"):
        read_nifti(path, max_voxels=pixels.size - 1)
    assert read == [540]


@pytest.mark.real_data
def test_a_skull_stripped_volume_is_read_as_it_is(real_data):
    path = real_data / "brats2013/brats_2013_pat0004_1/Flair_subtrMeanDivStd.nii.gz"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    volume = read_nifti(path)
    assert volume.pixels.shape == (240, 240, 155)
    assert volume.notes == ()
    assert (volume.plane, volume.spacing) == ("axial", (1, 1, 1))


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("shape", [(*SHAPE, 3), (*SHAPE, 1, 3)])
def test_of_a_series_of_volumes_one_or_their_mean_is_read(tmp_path, rng, suffix, shape):
    values = rng.integers(0, 1000, shape).astype(np.int16)
    image = nibabel.Nifti1Image(values, np.diag([1, 2, 3, 1.0]))
    image.header.set_slope_inter(2, 1)
    path = tmp_path / f"run{suffix}"
    nibabel.save(image, path)
    series = np.asarray(nibabel.load(path).dataobj).reshape(*SHAPE, 3)
    np.testing.assert_allclose(read_nifti(path, volume="2").pixels, series[..., 2], rtol=1e-6)
    np.testing.assert_allclose(read_nifti(path, volume="mean").pixels, series.mean(axis=3), rtol=1e-6)
    with pytest.raises(UnreadableScan, match="a file with a volume 3, counted from 0, received one with 3"):
        read_nifti(path, volume="3")


def test_of_a_single_volume_no_other_can_be_named(file, pixels):
    np.testing.assert_array_equal(read_nifti(file, volume="0").pixels, pixels)
    np.testing.assert_array_equal(read_nifti(file, volume="mean").pixels, pixels)
    with pytest.raises(UnreadableScan, match="received one with a single volume"):
        read_nifti(file, volume="1")


def test_five_axes_are_refused_whatever_is_named(tmp_path):
    path = tmp_path / "a.nii"
    nibabel.save(nibabel.Nifti1Image(np.ones((*SHAPE, 2, 2), np.uint8), np.eye(4)), path)
    with pytest.raises(UnreadableScan, match="five axes or more"):
        read_nifti(path, volume="0")


def test_damaged_bits_of_a_compressed_file_are_told(file):
    content = bytearray(file.read_bytes())
    content[-6] ^= 1  # of the checksum
    file.write_bytes(content)
    with pytest.raises(UnreadableScan, match="a damaged file"):
        read_nifti(file)


@pytest.mark.parametrize(
    ("sides", "kind"),
    [((512, 512, 512), np.uint8), ((400, 400, 300), np.float64), ((64, 64, 64, 1024), np.uint8)],
    ids=["voxels", "bytes", "volumes"],
)
def test_a_header_that_tells_of_more_than_its_file_can_hold_is_refused(tmp_path, sides, kind):
    header = nibabel.Nifti1Header()
    header.set_data_dtype(kind)
    header.set_data_shape(sides)
    header["magic"], header["vox_offset"] = b"n+1", 352
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(header.binaryblock + bytes(1000)))
    with pytest.raises(UnreadableScan, match=r"as many voxels as .* bytes can hold"):
        read_nifti(path, volume="1" if len(sides) > 3 else None)


def test_an_empty_mask_that_packs_well_is_still_read(tmp_path):
    path = tmp_path / "a.nii.gz"
    nibabel.Nifti1Image(np.zeros((256, 256, 100), np.uint8), np.eye(4)).to_filename(path)
    assert path.stat().st_size < 2**15
    assert not read_nifti(path).pixels.any()


def test_odd_headers_are_read_without_a_word(tmp_path, pixels, capfd):
    path = tmp_path / "a.nii"
    path.write_bytes(
        spoilt(nibabel.Nifti1Image(pixels, np.eye(4)), sform_code=17, qform_code=3, pixdim=[-1] * 8)
    )
    holds_several(path)
    with suppress(UnreadableScan):
        read_nifti(path)
    assert capfd.readouterr() == ("", "")
