"""Every kind of picture becomes the same grey Scan; every kind of rubbish becomes one UnreadableScan."""

from __future__ import annotations

import os
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL.PngImagePlugin import PngImageFile

from atypia.errors import UnreadableScan
from atypia.reading.picture import read_mask, read_picture

RAMP = np.add.outer(np.arange(20), 2 * np.arange(24)).astype(np.uint8)


def save(path: Path, picture: PIL.Image.Image, **options: object) -> Path:
    picture.save(path, **options)
    return path


def grey(values: np.ndarray = RAMP) -> PIL.Image.Image:
    return PIL.Image.fromarray(values)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp", ".webp", ".jpg"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_every_format_gives_the_same_grey(tmp_path: Path, suffix: str, mode: str) -> None:
    options = {".webp": {"lossless": True}, ".jpg": {"quality": 100}}.get(suffix, {})
    scan = read_picture(save(tmp_path / f"a{suffix}", grey().convert(mode), **options))
    assert scan.pixels.dtype == np.float32
    np.testing.assert_allclose(scan.pixels, RAMP, atol=2 if suffix == ".jpg" else 0)


def test_a_scan_is_named_after_its_file_unless_told(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", grey())
    assert (read_picture(path).name, read_picture(path).path) == ("a.png", path)
    told = read_picture(path, name="x/a.png", group="patient 7")
    assert (told.name, told.group) == ("x/a.png", "patient 7")


def test_colours_become_luma(tmp_path: Path) -> None:
    colours = np.zeros((20, 24, 3), np.uint8)
    colours[:] = (200, 100, 50)
    pixels = read_picture(save(tmp_path / "a.png", PIL.Image.fromarray(colours))).pixels
    np.testing.assert_allclose(pixels, 0.299 * 200 + 0.587 * 100 + 0.114 * 50, atol=0.6)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bits_are_kept(tmp_path: Path, suffix: str) -> None:
    values = RAMP.astype(np.uint16) * 900
    assert np.array_equal(read_picture(save(tmp_path / f"a{suffix}", grey(values))).pixels, values)


def test_a_16_bit_tiff_whose_white_is_zero_is_turned_round(tmp_path: Path) -> None:
    path = save(tmp_path / "a.tif", grey(RAMP.astype(np.uint16)), tiffinfo={262: 0})
    assert np.array_equal(read_picture(path).pixels, 65535 - RAMP.astype(np.float32))


def test_floats_are_kept_and_must_be_finite(tmp_path: Path) -> None:
    values = (RAMP - 30.5).astype(np.float32)
    assert np.array_equal(read_picture(save(tmp_path / "a.tif", grey(values))).pixels, values)
    values[3, 4], values[5, 6] = np.nan, np.inf
    with pytest.raises(UnreadableScan, match=r"expected finite pixel values, received 2 pixels"):
        read_picture(save(tmp_path / "b.tif", grey(values)))


def test_palette_and_1_bit(tmp_path: Path) -> None:
    palette = grey().convert("P")
    palette.putpalette([channel for level in range(256) for channel in (255 - level,) * 3])
    assert np.array_equal(
        read_picture(save(tmp_path / "p.png", palette)).pixels, 255 - RAMP.astype(np.float32)
    )
    bits = RAMP > 20
    assert np.array_equal(read_picture(save(tmp_path / "b.png", grey(bits))).pixels, bits * 255.0)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparent_pixels_are_laid_on_black(tmp_path: Path, mode: str) -> None:
    picture = grey(np.full((20, 24), 200, np.uint8)).convert(mode)
    alpha = np.zeros((20, 24), np.uint8)
    alpha[:, 8:16], alpha[:, 16:] = 128, 255
    picture.putalpha(grey(alpha))
    pixels = read_picture(save(tmp_path / "a.png", picture)).pixels
    np.testing.assert_allclose(pixels, 200 * (alpha / 255.0), atol=1e-3)


def test_a_transparent_colour_is_laid_on_black(tmp_path: Path) -> None:
    pixels = read_picture(save(tmp_path / "a.png", grey(), transparency=7)).pixels
    assert np.array_equal(pixels, np.where(RAMP == 7, 0, RAMP))
    palette = grey().convert("P")
    pixels = read_picture(save(tmp_path / "p.png", palette, transparency=bytes([255] * 7 + [0] * 249))).pixels
    assert np.array_equal(pixels, np.where(RAMP >= 7, 0, RAMP))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path: Path, suffix: str, orientation: int) -> None:
    stored = np.zeros((20, 24), np.uint8)
    stored[:10, :12] = 250
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    pixels = read_picture(save(tmp_path / f"a{suffix}", grey(stored), exif=exif)).pixels
    turned = {1: "00", 2: "01", 3: "11", 4: "10", 5: "00", 6: "01", 7: "11", 8: "10"}[orientation]
    assert pixels.shape == ((20, 24) if orientation < 5 else (24, 20))
    row, column = (int(place) * (side // 2) for place, side in zip(turned, pixels.shape, strict=True))
    bright = np.zeros(pixels.shape, bool)
    bright[row : row + pixels.shape[0] // 2, column : column + pixels.shape[1] // 2] = True
    assert pixels[bright].mean() > 230
    assert pixels[~bright].mean() < 20


def test_of_several_pages_the_first_is_read(tmp_path: Path) -> None:
    path = save(tmp_path / "a.tif", grey(), save_all=True, append_images=[grey(RAMP * 0)])
    assert np.array_equal(read_picture(path).pixels, RAMP)


def write_large_png(path: Path, side: int) -> Path:
    """Write a sound 1-bit PNG of side x side pixels, a few kB on disk."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4) + kind + body + zlib.crc32(kind + body).to_bytes(4)

    header = side.to_bytes(4) * 2 + bytes([1, 0, 0, 0, 0])
    rows = zlib.compress(bytes((1 + (side + 7) // 8) * side), 1)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )
    return path


def test_a_decompression_bomb_is_refused_by_its_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_large_png(tmp_path / "bomb.png", 20_000)
    monkeypatch.setattr(PngImageFile, "load", lambda _: pytest.fail("the bomb was decoded"))
    with pytest.raises(
        UnreadableScan, match=r"at most 8,388,608 pixels in 218,338 bytes, received 20000x20000 = 400,000,000"
    ):
        read_picture(path)
    with path.open("ab") as file:
        file.write(bytes(2**23))
    with pytest.raises(
        UnreadableScan, match=r"at most 100,000,000 pixels, received 20000x20000 = 400,000,000"
    ):
        read_picture(path)


def test_the_limit_is_the_callers_and_pillows_warning_never_leaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / "a.png", grey())
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", RAMP.size - 1)
    assert read_picture(path, max_pixels=RAMP.size).pixels.shape == RAMP.shape
    with pytest.raises(UnreadableScan, match=r"at most 479 pixels, received 24x20 = 480"):
        read_picture(path, max_pixels=RAMP.size - 1)


def test_odd_metadata_draws_no_warning_and_leaves_the_filters_alone(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", grey(), exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01")
    before = list(warnings.filters)
    assert read_picture(path).pixels.shape == RAMP.shape
    assert warnings.filters == before


def test_threads_read_alike(tmp_path: Path) -> None:
    paths = [save(tmp_path / f"{n}.tif", grey(RAMP + np.uint8(n))) for n in range(40)]
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        scans = list(pool.map(read_picture, paths))
    assert [scan.pixels[0, 0] for scan in scans] == list(range(40))
    assert warnings.filters == before


STRANGERS = {
    "an empty file": b"",
    "a text that begins 'not a picture": b"not a picture, sorry\n",
    "a GIF picture": b"GIF89a......",
    "a DICOM file": bytes(128) + b"DICM....",
    "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\n",
    "a web page": b"<!DOCTYPE html><title>404</title>",
    "an unknown kind of file (first bytes 00 01 02 fe)": bytes([0, 1, 2, 254]),
    "a damaged file": b"\x89PNG\r\n\x1a\nnonsense",
}


@pytest.mark.parametrize("received", STRANGERS)
def test_what_is_no_picture_is_named(tmp_path: Path, received: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(STRANGERS[received])
    with pytest.raises(UnreadableScan) as caught:
        read_picture(path)
    assert str(path) in str(caught.value)
    assert f"received {received}" in str(caught.value)


def test_a_truncated_jpeg_is_refused(tmp_path: Path, rng: np.random.Generator) -> None:
    path = save(tmp_path / "a.jpg", grey(rng.integers(0, 256, (64, 64), np.uint8)))
    path.write_bytes(path.read_bytes()[:-800])
    with pytest.raises(UnreadableScan, match=r"expected a whole picture, received a damaged file.*truncated"):
        read_picture(path)


def test_missing_file_folder_and_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UnreadableScan, match=r"no such file.*--root"):
        read_picture(tmp_path / "gone.png")
    with pytest.raises(UnreadableScan, match="received a folder"):
        read_picture(tmp_path)
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(UnreadableScan, match="something that is no file"):
        read_picture(tmp_path / "pipe.png")
    for strange in (tmp_path / ("x" * 300 + ".png"), tmp_path / "nul\0.png"):
        with pytest.raises(UnreadableScan):
            read_picture(strange)


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "a.png", grey())

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UnreadableScan, match="received permission denied"):
        read_picture(path)


@pytest.mark.parametrize("shape", [(1, 1), (15, 40), (40, 15)])
def test_too_small_a_picture_is_no_scan(tmp_path: Path, shape: tuple[int, int]) -> None:
    path = save(tmp_path / "a.png", grey(np.full(shape, 9, np.uint8)))
    with pytest.raises(UnreadableScan, match=rf"at least 16x16 pixels, received {shape[1]}x{shape[0]}"):
        read_picture(path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), suffix=st.sampled_from([".png", ".jpg", ".bmp", ".webp"]))
def test_no_damage_raises_anything_else(tmp_path: Path, data: st.DataObject, suffix: str) -> None:
    path = save(tmp_path / f"a{suffix}", grey())
    raw = bytearray(path.read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(raw) - 1), max_size=4)):
        raw[place] = data.draw(st.integers(0, 255))
    path.write_bytes(raw[: data.draw(st.integers(0, len(raw)))])
    with suppress(UnreadableScan):
        assert np.isfinite(read_picture(path).pixels).all()


def test_masks_of_every_kind(tmp_path: Path) -> None:
    truth = RAMP > 40
    for name, values in {
        "bits.png": truth,
        "bytes.png": truth * np.uint8(255),
        "words.png": truth * np.uint16(65535),
        "labels.png": truth * np.uint8(4),
        "floats.tif": truth * np.float32(1),
    }.items():
        mask = read_mask(save(tmp_path / name, grey(values)))
        assert mask.dtype == np.bool_
        assert np.array_equal(mask, truth), name


def test_noise_in_an_empty_lossy_mask_is_not_a_mask(tmp_path: Path) -> None:
    noisy = np.where(RAMP > 40, 5, 0).astype(np.uint8)
    assert not read_mask(save(tmp_path / "a.jpg", grey(noisy))).any()
    assert not read_mask(save(tmp_path / "b.png", grey(noisy * np.uint8(0)))).any()


@pytest.mark.real_data
def test_real_pictures_read(real_data: Path) -> None:
    for path in sorted((real_data / "kaggle-brain-mri" / "Healthy").iterdir())[::100]:
        with PIL.Image.open(path) as picture:
            luma = np.asarray(picture.convert("RGB").convert("L"), np.float32)
        assert np.abs(read_picture(path).pixels - luma).mean() < 0.5


def test_a_large_jpeg_comes_reduced_where_fewer_pixels_are_enough(tmp_path):
    grey = np.tile(np.linspace(0, 255, 400), (300, 1)).astype(np.uint8)
    for suffix, expected in ((".jpg", (150, 200)), (".png", (300, 400))):
        path = tmp_path / f"large{suffix}"
        PIL.Image.fromarray(grey).save(path)
        assert read_picture(path, enough=120).pixels.shape == expected
        assert read_picture(path, enough=300).pixels.shape == (300, 400)


def test_a_jpeg_of_very_many_passes_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", grey(), progressive=True)
    whole = path.read_bytes()
    last = whole[whole.rindex(b"\xff\xda") : -2]
    path.write_bytes(whole[:-2] + last * 70 + whole[-2:])
    with pytest.raises(UnreadableScan, match="at most 64 passes, received one of 7"):
        read_picture(path)


def test_a_palette_without_colours_is_no_picture(tmp_path: Path) -> None:
    whole = save(tmp_path / "a.png", grey().convert("P")).read_bytes()
    start = whole.index(b"PLTE") - 4
    length = 12 + int.from_bytes(whole[start : start + 4])
    (tmp_path / "b.png").write_bytes(whole[:start] + whole[start + length :])
    for read in (read_picture, read_mask):
        with pytest.raises(UnreadableScan, match="a whole picture"):
            read(tmp_path / "b.png")
