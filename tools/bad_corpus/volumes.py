"""NIfTI volumes: cut and flipped, with headers that lie, bombs, and values that no scan has."""

from __future__ import annotations

import bz2
import gzip
import io
import math
import zlib
from collections.abc import Iterator
from typing import Any

import nibabel
import numpy as np

from bad_corpus.corpus import EITHER, JUDGED, UNLISTED, UNREADABLE, Corpus, cut, flipped

_DEPTH = 2
_PLAIN = np.diag([2.0, 2.0, 5.0, 1.0])


def make(corpus: Corpus) -> None:
    """Write all of them."""
    grid = np.uint8(corpus.heads[2 : 2 + _DEPTH].transpose(2, 1, 0))
    whole = nibabel.Nifti1Image(grid, _PLAIN).to_bytes()
    packed = gzip.compress(whole, mtime=0)
    header, end = (0, 4, 40, 108, 112, 254, 344, 348), len(whole) - 1
    corpus.add_all(cut(whole, (*header, 352, len(whole) // 2, end), ".nii"), "nii", "cut short")
    corpus.add_all(
        cut(packed, (0, 2, 10, 200, len(packed) // 2, len(packed) - 8, len(packed) - 4), ".nii.gz"),
        "nii.gz",
        "cut short",
    )
    corpus.add_all(flipped(whole, 14, corpus.rng(3), ".nii", 352), "nii", "flipped bit", EITHER)
    corpus.add_all(flipped(packed, 10, corpus.rng(4), ".nii.gz"), "nii.gz", "flipped bit", EITHER)
    _sound(corpus, grid, whole)
    for told, made in ((UNREADABLE, dict(_lies(grid, whole))), (EITHER, dict(_odd(grid, whole)))):
        corpus.add_all(made, "nii", "lying header", told)
    corpus.add_all(dict(_values(grid)), "nii", "odd pixels", EITHER)
    corpus.add_all(_packings(whole, packed), "nii.gz", "lying header")
    bombs(corpus, whole)


def _sound(corpus: Corpus, grid: Any, whole: bytes) -> None:
    """Sound volumes of every kind that is read, and pairs, which are not."""
    turned = nibabel.Nifti1Image(grid, _PLAIN, nibabel.Nifti1Header(endianness=">"))
    second = nibabel.Nifti2Image(grid, _PLAIN)
    sound = {
        "nii/whole.nii": whole,
        "nii.gz/whole.nii.gz": gzip.compress(whole, mtime=0),
        "nii/other-order.nii": turned.to_bytes(),
        "nii/second-version.nii": second.to_bytes(),
        "nii.gz/two-members.nii.gz": gzip.compress(whole[:400], mtime=0)
        + gzip.compress(whole[400:], mtime=0),
        "nii/with-floats.nii": nibabel.Nifti1Image(grid.astype(np.float64), _PLAIN).to_bytes(),
    }
    for place, content in sound.items():
        corpus.add(place, content, place.partition("/")[0], "none", JUDGED)
    pair = nibabel.Nifti1Pair(grid, _PLAIN)
    files = {"header": io.BytesIO(), "image": io.BytesIO()}
    pair.to_file_map({name: nibabel.FileHolder(fileobj=file) for name, file in files.items()})
    header, image = (file.getvalue() for file in files.values())
    corpus.add("pair/whole.hdr", header, "pair", "none", UNLISTED)
    corpus.add("pair/whole.img", image, "pair", "none", UNLISTED)
    corpus.add("pair/cut.img", image[:100], "pair", "cut short", UNLISTED)
    corpus.add("pair/renamed.nii", header + image, "pair", "wrong suffix")


def _edited(grid: Any, whole: bytes, **fields: Any) -> bytes:
    """Write fields of the header, and leave the voxels as they are."""
    header = nibabel.Nifti1Image(grid, _PLAIN).header
    for name, value in fields.items():
        header[name] = value
    return bytes(header.binaryblock) + whole[348:]


def _lies(grid: Any, whole: bytes) -> Iterator[tuple[str, bytes]]:
    def lie(name: str, **fields: Any) -> tuple[str, bytes]:
        return f"{name}.nii", _edited(grid, whole, **fields)

    i, j, k = grid.shape
    yield lie("no-axes", dim=[0, i, j, k, 1, 1, 1, 1])
    yield lie("negative-side", dim=[3, i, -j, k, 1, 1, 1, 1])
    yield lie("no-side", dim=[3, i, 0, k, 1, 1, 1, 1])
    yield lie("huge-size", dim=[3, 32767, 32767, 32767, 1, 1, 1, 1])
    yield lie("more-slices", dim=[3, i, j, 30 * k, 1, 1, 1, 1])
    yield lie("huge-in-time", dim=[7, i, j, k, 32767, 32767, 32767, 32767])
    for code, name in ((0, "none"), (32, "complex"), (128, "colours"), (1536, "wide"), (9999, "unknown")):
        yield lie(f"type-{name}", datatype=code)
    for name, value in (("nan", math.nan), ("negative", -16.0), ("far", 1e9), ("infinite", math.inf)):
        yield lie(f"offset-{name}", vox_offset=value)
    for name, row in (("nan", math.nan), ("infinite", math.inf), ("zero", 0.0)):
        yield lie(f"affine-{name}", sform_code=1, qform_code=0, srow_x=row, srow_y=row, srow_z=row)
    yield lie("affine-flat", sform_code=1, srow_x=[1, 0, 0, 0], srow_y=[2, 0, 0, 0], srow_z=[0, 0, 5, 0])
    yield lie("magic-none", magic=b"")
    yield lie("magic-pair", magic=b"ni1")
    yield "size-of-header.nii", b"\x5d\x01\0\0" + whole[4:]


def _odd(grid: Any, whole: bytes) -> Iterator[tuple[str, bytes]]:
    def lie(name: str, **fields: Any) -> tuple[str, bytes]:
        return f"{name}.nii", _edited(grid, whole, **fields)

    for name, value in (
        ("nan", math.nan),
        ("infinite", math.inf),
        ("zero", 0.0),
        ("huge", 3e38),
        ("tiny", 1e-44),
    ):
        yield lie(f"slope-{name}", scl_slope=value, scl_inter=0)
        yield lie(f"intercept-{name}", scl_slope=1, scl_inter=value)
        yield lie(f"turned-{name}", sform_code=0, qform_code=1, quatern_b=value)
        yield lie(f"voxel-{name}", sform_code=0, qform_code=1, pixdim=[1, value, value, value, 1, 1, 1, 1])
    yield lie("voxel-negative", sform_code=0, qform_code=1, pixdim=[1, -2, -2, -5, 1, 1, 1, 1])
    yield lie(
        "affine-huge", sform_code=1, srow_x=[3e38, 0, 0, 0], srow_y=[0, 3e38, 0, 0], srow_z=[0, 0, 3e38, 0]
    )
    yield lie(
        "affine-tiny", sform_code=1, srow_x=[1e-44, 0, 0, 0], srow_y=[0, 1e-44, 0, 0], srow_z=[0, 0, 1e-44, 0]
    )
    yield "half-turned.nii", whole[:4][::-1] + whole[4:]
    yield lie("codes", sform_code=-7, qform_code=99, xyzt_units=255, intent_code=-1)
    yield lie("bits", bitpix=3)
    yield lie("many-axes", dim=[9, *grid.shape, 1, 1, 1, 1])
    yield lie("type-other", datatype=256)
    yield lie("offset-none", vox_offset=0)
    yield lie("offset-uneven", vox_offset=352.7)
    for name, size in (("long", 2**31 - 16), ("none", 0), ("negative", -(2**31)), ("uneven", 17)):
        extension = b"\1\0\0\0" + int(size).to_bytes(4, "little", signed=True) + b"\6\0\0\0" + bytes(24)
        header = _edited(grid, whole, vox_offset=384)[:348]
        yield f"extension-{name}.nii", header + extension + whole[352:]


def _values(grid: Any) -> Iterator[tuple[str, bytes]]:
    def volume(name: str, values: Any, affine: Any = _PLAIN) -> tuple[str, bytes]:
        return f"pixels-{name}.nii", nibabel.Nifti1Image(np.asarray(values), affine).to_bytes()

    spread = grid.astype(np.float32)
    yield volume("nan", np.full_like(spread, np.nan))
    yield volume("some-nan", np.where(grid % 7 == 0, np.float32(np.nan), spread))
    yield volume("infinite", np.where(grid > 200, np.float32(np.inf), spread))
    yield volume("black", np.zeros_like(grid))
    yield volume("one-grey", np.full_like(grid, 77))
    yield volume("negative", spread - 500)
    yield volume("largest", spread.astype(np.float64) * 1e300)
    yield volume("both-largest", np.where(grid > 60, np.float32(3e38), np.float32(-3e38)))
    yield volume("smallest", spread * np.float32(1e-40))
    yield volume("one-voxel", grid[:1, :1, :1])
    yield volume("one-row", grid[:, :1, :1])
    yield volume("in-time", np.stack([grid, grid], axis=3))
    yield volume("five-axes", np.stack([np.stack([grid, grid], 3)] * 2, 4))


def _packings(whole: bytes, packed: bytes) -> dict[str, bytes]:
    wrong_sum = packed[:-8] + b"\0\0\0\0" + packed[-4:]
    return {
        "wrong-sum.nii.gz": wrong_sum,
        "packed-twice.nii.gz": gzip.compress(packed, mtime=0),
        "bzip2.nii.gz": bz2.compress(whole),
        "zlib.nii.gz": zlib.compress(whole),
        "unknown-method.nii.gz": packed[:2] + b"\x09" + packed[3:],
        "a-name-without-end.nii.gz": packed[:3] + b"\x08" + packed[4:10] + b"x" * 5000,
        "nothing.nii.gz": gzip.compress(b"", mtime=0),
    }


def bombs(corpus: Corpus, whole: bytes) -> None:
    """Kilobytes that become as many voxels as are read at all, or go on behind them."""
    header = nibabel.Nifti1Image(np.zeros((1, 1, 1), np.uint8), _PLAIN).header
    header.set_data_shape((512, 512, 512))
    header["vox_offset"] = 352
    packing, parts = zlib.compressobj(9, zlib.DEFLATED, 31), []
    parts.append(packing.compress(bytes(header.binaryblock) + bytes(4)))
    parts += [packing.compress(bytes(2**20)) for _ in range(128)]
    zeros = b"".join([*parts, packing.flush()])
    corpus.add_all({"bomb.nii.gz": zeros}, "nii.gz", "bomb")
    corpus.add_all({"more-behind.nii.gz": gzip.compress(whole + bytes(50_000_000))}, "nii.gz", "bomb", EITHER)
