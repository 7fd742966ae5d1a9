"""What a file is by its first bytes; what it is called does not matter."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

HEAD = 2048
_NIFTI_AT = {348: (344, (b"n+1\0", b"ni1\0")), 540: (4, (b"n+2\0", b"ni2\0"))}
_PICTURES = (
    (b"\xff\xd8\xff", ".jpg"),
    (b"\x89PNG\r\n\x1a\n", ".png"),
    (b"II*\0", ".tif"),
    (b"MM\0*", ".tif"),
    (b"II+\0", ".tif"),
    (b"MM\0+", ".tif"),
    (b"BM", ".bmp"),
)
_STRANGERS = (
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF document"),
    (b"<", "a web page or XML document"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x1f\x8b", "a gzip file that holds no NIfTI volume"),
    (b"version https://git-lfs", "a Git LFS pointer instead of the file itself"),
)
EXPECTED = (
    "a picture (JPEG, PNG, TIFF, BMP, WebP), a NIfTI volume (.nii, .nii.gz), DICOM, or a zip file of them"
)


@dataclass(frozen=True)
class Kind:
    """`name` is picture, nifti, dicom, or archive; `suffix` is the one that its content deserves."""

    name: str
    suffix: str


def kind_of(head: bytes) -> Kind | None:
    r"""Return what a file is by its first bytes, at least 600 where it has so many; None: nothing of ours.

    >>> kind_of(b"PK\x03\x04..."), kind_of(b"hello")
    (Kind(name='archive', suffix='.zip'), None)
    """
    if head[128:132] == b"DICM" or _bare_dicom(head):
        return Kind("dicom", ".dcm")
    for magic, suffix in _PICTURES:
        if head.startswith(magic):
            return Kind("picture", suffix)
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return Kind("picture", ".webp")
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return Kind("archive", ".zip")
    if _is_nifti(head):
        return Kind("nifti", ".nii")
    if head.startswith(b"\x1f\x8b") and _is_nifti(_unzipped(head)):
        return Kind("nifti", ".nii.gz")
    return None


def stranger(head: bytes) -> str:
    """Return in words what a file is that is nothing of ours."""
    if not head:
        return "an empty file"
    for magic, words in _STRANGERS:
        if head.startswith(magic):
            return words
    return "a file of another kind"


def _bare_dicom(head: bytes) -> bool:
    """Tell whether these are DICOM elements without a preamble: of group 8, with a short length."""
    if len(head) < 16 or head[:2] != b"\x08\0" or head[2:4] not in (b"\0\0", b"\x01\0", b"\x05\0", b"\x08\0"):
        return False
    return head[4:6] in (b"UL", b"CS", b"UI", b"SH") or int.from_bytes(head[4:8], "little") <= 128


def _is_nifti(head: bytes) -> bool:
    for order in ("little", "big"):
        size = int.from_bytes(head[:4], order)
        if size in _NIFTI_AT:
            at, magics = _NIFTI_AT[size]
            if head[at : at + 4] in magics:
                return True
    return False


def _unzipped(head: bytes) -> bytes:
    """Return the first bytes of what a gzip file holds; never more than a header's."""
    try:
        return zlib.decompressobj(wbits=31).decompress(head, 1024)
    except zlib.error:
        return b""
