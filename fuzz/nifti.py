"""NIfTI-1 and NIfTI-2, plain and in gzip: whole volumes, one of several, their mean, and slices of them."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from random import Random

import numpy as np

from atypia.errors import UnreadableScan
from atypia.reading.cutting import MEAN
from atypia.reading.head_extent import with_head
from atypia.reading.nifti import holds_several, read_nifti
from atypia.reading.planes import too_coarse
from atypia.reading.volume import PLANES, Volume
from fuzz.place import written
from fuzz.scans import small_volume
from fuzz.target import Seed, Target, number, real, scramble

_GZIP = b"\x1f\x8b"
# Of each header: where its fields begin, and their form.
_FIELDS = {
    348: {
        **dict.fromkeys(range(40, 56, 2), "h"),
        70: "h", 72: "h", 252: "h", 254: "h", 108: "f", 112: "f", 116: "f", 344: "4s",
        **dict.fromkeys((*range(76, 108, 4), *range(256, 328, 4)), "f"),
    },
    540: {
        **dict.fromkeys(range(16, 80, 8), "q"),
        12: "h", 14: "h", 344: "i", 348: "i", 168: "q", 176: "d", 184: "d", 4: "8s",
        **dict.fromkeys((*range(104, 168, 8), *range(352, 496, 8)), "d"),
    },
}  # fmt: skip
_KINDS = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 768, 1024, 1280, 1536, 1792, 2048, 2304)


def seeds() -> Iterator[Seed]:
    """Make volumes of both formats, orders and packings, of several types, and one of several in a file."""
    import nibabel

    whole, affine = small_volume(), np.diag([-2.0, 2, 5, 1])
    several = np.stack([whole, whole // 2, whole // 3], axis=3)
    for name, pixels, kind, options in (
        ("short", whole, nibabel.Nifti1Image, {}),
        ("byte", whole.astype(np.uint8), nibabel.Nifti1Image, {}),
        ("real", whole.astype(np.float32) / 9 - 3, nibabel.Nifti1Image, {}),
        ("double", whole.astype(np.float64) - 0.1, nibabel.Nifti2Image, {}),
        ("series", several, nibabel.Nifti1Image, {}),
        ("wide", whole.astype(np.uint16), nibabel.Nifti2Image, {}),
        ("big", whole, nibabel.Nifti1Image, {"endian": ">"}),
    ):
        header = (nibabel.Nifti1Header if kind is nibabel.Nifti1Image else nibabel.Nifti2Header)(
            **_order(options)
        )
        header.set_data_dtype(pixels.dtype)
        image = kind(pixels, affine, header)
        if name == "byte":
            image.header.set_slope_inter(2.0, -3.0)
        data = image.to_bytes()
        yield f"{name}.nii", data
        yield f"{name}.nii.gz", gzip.compress(data, mtime=0)
    yield "pair.nii", data[:344] + b"ni1\0" + data[348:]


def _order(options: dict[str, str]) -> dict[str, str]:
    return {"endianness": options["endian"]} if options else {}


def change(data: bytes, chance: Random) -> bytes:
    """Change a field of the header, or some voxels, within the gzip where there is one."""
    if data.startswith(_GZIP):
        inner = zlib.decompressobj(wbits=31).decompress(data, 2**20)
        return gzip.compress(_changed(inner, chance), 1, mtime=0)
    made = _changed(data, chance)
    return gzip.compress(made, 1, mtime=0) if chance.random() < 0.1 else made


def _changed(data: bytes, chance: Random) -> bytes:
    size = next(size for size in _FIELDS if size in (int.from_bytes(data[:4], o) for o in ("little", "big")))
    order = "<" if int.from_bytes(data[:4], "little") == size else ">"
    if chance.random() < 0.15:
        return data[:size] + scramble(data[size:], chance)
    made = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 3))):
        at = chance.choice(list(_FIELDS[size]))
        form = order + _FIELDS[size][at]
        made[at : at + struct.calcsize(form)] = _value(form, at, chance)
    return bytes(made)


def _value(form: str, at: int, chance: Random) -> bytes:
    if form.endswith(("f", "d")):
        return real(chance, form)
    if at in (70, 12):
        return struct.pack(form, chance.choice(_KINDS))
    length = struct.calcsize(form)
    return (
        struct.pack(form, chance.randrange(8))
        if chance.random() < 0.3 and not form.endswith("s")
        else (number(chance, length))
    )


def run(data: bytes) -> None:
    """Read the bytes as a volume, as the second of several and as their mean, and cut it."""
    suffix = ".nii.gz" if data.startswith(_GZIP) else ".nii"
    with written(data, f"sub-01_T1w{suffix}") as path:
        holds_several(path)
        for which in (None, "1", MEAN):
            with suppress(UnreadableScan):
                _cut(read_nifti(path, volume=which))


def _cut(volume: Volume) -> None:
    assert np.isfinite(volume.pixels).all()
    assert volume.pixels.dtype == np.float32
    for plane in (volume.plane, *PLANES):
        if too_coarse(volume, plane) is None:
            for index in islice(with_head(volume, plane), 2):
                assert np.isfinite(volume.slice(plane, index).pixels).all()


TARGET = Target("nifti", seeds, change, run)
