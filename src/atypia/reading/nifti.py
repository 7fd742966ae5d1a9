"""Reading one NIfTI file (`.nii`, `.nii.gz`) into a Volume."""

from __future__ import annotations

import gzip
import math
import re
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from atypia.errors import UnreadableScan
from atypia.reading.cutting import MEAN
from atypia.reading.picture import check_regular, reason
from atypia.reading.quiet import hush_nibabel, no_warnings
from atypia.reading.volume import Grid, Volume
from atypia.scan import LARGEST

if TYPE_CHECKING:
    from nibabel.nifti1 import Nifti1Image

NIFTI_SUFFIXES = (".nii", ".nii.gz")
MAX_VOXELS = 2**27

_KIND = "a NIfTI volume (.nii, .nii.gz)"
_AGAIN = "Fetch or export the file again."
_CHOOSE = (
    "Choose one of them, counted from 0, or their mean: --volume 0 or --volume mean with 'atypia fit' or "
    "'atypia score', or the column volume of a table."
)
_LONGEST_HEADER = 2**26
_MOST_VALUES = 2**31
# Above so many, a file needs a byte for every so many: masks, which compress best, do, and bombs do not.
ALWAYS_VOXELS, VOXELS_A_BYTE = 2**26, 64
_ALWAYS_BYTES, _BYTES_A_BYTE = 2**28, 256
_SIZES = {348: "ni1 n+1", 540: "ni2 n+2"}
# Of BIDS: the last part of a file's name says what was measured.
_SEQUENCE_OF = {"T1w": "T1", "T2w": "T2", "FLAIR": "FLAIR"}


def stem_of(path: Path) -> str:
    """Return a file's name without its suffix, of which `.nii.gz` is one.

    >>> stem_of(Path("sub-01_T1w.nii.gz")), stem_of(Path("a.b.png"))
    ('sub-01_T1w', 'a.b')
    """
    return path.name[: -len(".nii.gz")] if path.name.lower().endswith(".nii.gz") else path.stem


def is_nifti(path: Path) -> bool:
    """Tell by its name whether a file is a NIfTI volume."""
    return path.name.lower().endswith(NIFTI_SUFFIXES)


def holds_several(path: Path) -> bool:
    """Tell by its header whether a NIfTI file holds several volumes; not where it cannot be read."""
    import nibabel

    hush_nibabel()
    try:
        check_regular(path, _KIND)
        with no_warnings():
            return len([side for side in nibabel.load(path).shape[3:] if side > 1]) > 0
    except Exception:  # damaged files draw almost any exception; reading them gives the reason
        return False


def read_nifti(
    path: Path,
    *,
    name: str | None = None,
    group: str | None = None,
    volume: str | None = None,
    max_voxels: int = MAX_VOXELS,
) -> Volume:
    """Read a NIfTI-1 or NIfTI-2 file of one volume, compressed or not, on its own grid.

    Of a file with a fourth axis `volume` names one, by its number from 0, or MEAN for the mean of all.

    Values are scaled by the header's slope and intercept. Voxels that are NaN or infinite become 0, and where
    a constant background lies between the values of the brain, as 0 does in a z-scored volume without its
    skull, it is set to the lowest of them: `notes` tell of both.
    Raises UnreadableScan for whatever is no sound volume of at most `max_voxels`; the size is checked before
    more than the header is decompressed.
    """
    check_regular(path, _KIND)
    try:
        with path.open("rb") as raw, np.errstate(all="ignore"):
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            if not zipped:
                return _read(path, raw, name, group, volume, max_voxels)
            with gzip.GzipFile(fileobj=raw) as file:
                found = _read(path, cast(BinaryIO, file), name, group, volume, max_voxels)
                file.read(1)  # reaches the checksum, which tells of damaged bits
                return found
    except UnreadableScan:
        raise
    except Exception as error:  # damaged files draw almost any exception from the decoders
        raise UnreadableScan(path, "a whole NIfTI volume", *reason(error)) from error


def _read(
    path: Path, file: BinaryIO, name: str | None, group: str | None, volume: str | None, max_voxels: int
) -> Volume:
    image = _opened(path, file, volume, max_voxels)
    kind = image.get_data_dtype()
    if kind.kind not in "iufb":
        raise UnreadableScan(path, "one grey value for each voxel", f"values of the type {kind}")
    pixels, notes = _cleaned(path, _values(image, _sides(path, image.shape, volume), volume))
    if not (image.header["sform_code"] or image.header["qform_code"]):
        notes.append("the header does not say how the patient lay: right, front and up are guessed")
    sequence = _SEQUENCE_OF.get(stem_of(path).rpartition("_")[2])
    return Volume(
        pixels,
        np.asarray(image.affine, np.float64),
        name or path.name,
        path=path,
        sequence=sequence,
        modality="MR" if sequence else None,
        group=group,
        notes=tuple(notes),
    )


def _values(image: Nifti1Image, sides: tuple[int, int, int], volume: str | None) -> Grid:
    """Return the values of the one volume, of the one that is named, or their mean."""
    count = int(np.prod(image.shape[3:], dtype=np.int64))
    if count == 1:
        return np.asarray(image.get_fdata(dtype=np.float32, caching="unchanged")).reshape(sides)
    stored, along = image.dataobj, [slice(None)] * image.ndim
    axis = next(axis for axis in range(3, image.ndim) if image.shape[axis] > 1)

    def one(number: int) -> NDArray[np.float64]:
        along[axis] = slice(number, number + 1)
        return np.asarray(stored[tuple(along)], np.float64).reshape(sides)

    if volume != MEAN:
        return one(int(volume or 0)).astype(np.float32)
    total = one(0)
    for number in range(1, count):
        total += one(number)
    return (total / count).astype(np.float32)


def _opened(path: Path, file: BinaryIO, volume: str | None, max_voxels: int) -> Nifti1Image:
    """Check the header by itself, and return the image with nothing of it read."""
    import nibabel  # here, because few scans are volumes

    hush_nibabel()
    head = file.read(540)
    little = int.from_bytes(head[:4], "little")
    size = little if little in _SIZES else int.from_bytes(head[:4], "big")
    if size not in _SIZES or len(head) < size:
        raise UnreadableScan(path, _KIND, "an empty file" if not head else "something else", _AGAIN)
    kinds: dict[int, tuple[Any, Any]] = {
        348: (nibabel.Nifti1Header, nibabel.Nifti1Image),
        540: (nibabel.Nifti2Header, nibabel.Nifti2Image),
    }
    header_kind, image_kind = kinds[size]
    header = header_kind.from_fileobj(BytesIO(head[:size]), check=False)
    magic = bytes(header["magic"])[:3].decode("ascii", "replace")
    if magic != _SIZES[size].split()[1]:
        pair = magic == _SIZES[size].split()[0]
        received = "a header whose image is in another file" if pair else "something else"
        raise UnreadableScan(path, _KIND, received, "Convert it to one file that ends in .nii.gz.")
    _check_size(path, header, volume, max_voxels)
    file.seek(0)
    with no_warnings():
        image: Nifti1Image = image_kind.from_stream(file)
    return image


def _check_size(path: Path, header: Any, volume: str | None, max_voxels: int) -> None:
    sides = [int(side) for side in header["dim"][1 : 1 + max(0, min(7, int(header["dim"][0])))]]
    count = math.prod(sides[:3])
    shown = "x".join(map(str, sides)) or "none"
    if not sides or min(sides) < 1:
        raise UnreadableScan(path, "a size of at least one voxel along each axis", f"{shown}", _AGAIN)
    _sides(path, tuple(sides), volume)
    if count > max_voxels or math.prod(sides) > _MOST_VALUES:
        raise UnreadableScan(
            path,
            f"at most {max_voxels:,} voxels" + (f", {_MOST_VALUES:,} in all" if len(sides) > 3 else ""),
            f"a header that tells of {shown} = {math.prod(sides):,}",
            "Make the volume smaller: such a size is a damaged file, or one made to exhaust memory.",
        )
    _check_packing(path, sides, header)
    offset = float(header["vox_offset"])
    if not 0 <= offset <= _LONGEST_HEADER:
        raise UnreadableScan(path, "voxels soon after the header", f"voxels from byte {offset:.0f}", _AGAIN)


def _check_packing(path: Path, sides: list[int], header: Any) -> None:
    """Refuse a header that tells of far more than the file can hold, before room is made for it."""
    size, count = path.stat().st_size, math.prod(sides)
    stored = count * int(header.get_data_dtype().itemsize)
    if count > max(ALWAYS_VOXELS, VOXELS_A_BYTE * size) or stored > max(_ALWAYS_BYTES, _BYTES_A_BYTE * size):
        shown = "x".join(map(str, sides))
        raise UnreadableScan(
            path,
            f"as many voxels as {size:,} bytes can hold",
            f"a header that tells of {shown} = {count:,}",
            "Such a size is a damaged file, or one made to exhaust memory.",
        )


def _sides(path: Path, shape: tuple[int, ...], volume: str | None) -> tuple[int, int, int]:
    """Return the three sides of a volume, where the further axes leave one, or the one that is named."""
    further = [side for side in shape[3:] if side > 1]
    many = "x".join(map(str, shape))
    count = further[0] if further else 1
    if len(further) > 1:
        hint = "Save one of its volumes, or their mean, as a file of its own."
        raise UnreadableScan(path, "one volume, or a series of them", f"five axes or more ({many})", hint)
    if volume is None and further:
        raise UnreadableScan(path, "one volume of three axes", f"a series of volumes ({many})", _CHOOSE)
    if volume not in (None, MEAN) and int(volume) >= count:
        received = f"one with {count}" if further else "one with a single volume"
        raise UnreadableScan(path, f"a file with a volume {volume}, counted from 0", received, _CHOOSE)
    i, j, k = (*shape, 1, 1)[:3]
    return i, j, k


def _cleaned(path: Path, pixels: Grid) -> tuple[Grid, list[str]]:
    """Return the values, what is no number made 0 and a background the darkest; and notes of what was odd."""
    notes = []
    finite = (pixels > -LARGEST) & (pixels < LARGEST)  # false for what is no number
    bad = int(pixels.size - np.count_nonzero(finite))
    if bad == pixels.size:
        raise UnreadableScan(path, "finite voxel values", "NaN or infinite ones alone")
    if bad:
        pixels = np.where(finite, pixels, np.float32(0))
        notes.append(f"{bad} voxels that were NaN or infinite were set to 0")
    level = _inner_background(pixels)
    if level is not None:
        lowest = pixels.min()
        pixels = np.where(pixels == np.float32(level), lowest, pixels)
        notes.append(f"the background of {level:g}, within the brain's range, was set to {lowest:g}")
    return pixels, notes


def _inner_background(pixels: NDArray[np.float32]) -> float | None:
    """Return the one value that fills most of the faces of the grid, where the brain is on both sides of it.

    That is where at least 5 in 100 of all other voxels are darker and 5 in 100 brighter.
    """
    faces = [np.ravel(pixels[place]) for place in (0, -1)] + [np.ravel(pixels[:, place]) for place in (0, -1)]
    values = np.concatenate(faces)
    level = float(np.median(values))
    if np.count_nonzero(values == level) < 0.9 * values.size:
        return None
    darker, brighter = int(np.count_nonzero(pixels < level)), int(np.count_nonzero(pixels > level))
    least = 0.05 * (darker + brighter)
    return level if darker and brighter and darker >= least and brighter >= least else None


def bids_subject(path: Path) -> str | None:
    """Return the subject, `sub-XX`, of the innermost folder or of the file that names one.

    >>> bids_subject(Path("study/sub-07/ses-1/anat/sub-07_ses-1_T1w.nii.gz"))
    'sub-07'
    """
    for part in reversed(path.parts):
        found = re.match(r"sub-[A-Za-z0-9]+", part)
        if found:
            return found.group()
    return None
