"""Which files a Screener has learned from, so that it can refuse to be tested on them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from atypia.errors import CorruptArtefact
from atypia.reading.row import Row
from atypia.scan import Scan

Fingerprints = NDArray[np.uint64]

LEARNED_FILES = "learned_files"
"""The name of the array in the saved file."""

NONE: Fingerprints = np.empty(0, dtype=np.uint64)


def fingerprints(scans: Iterable[Row | Scan]) -> Fingerprints:
    """Return the fingerprint of the content of each scan's file, sorted, each once, (N,).

    It is BLAKE2b of 8 bytes. No name and no pixel can be had from it, but who holds a file can tell whether
    it was learned from. Scans without a file, and files that cannot be read, have none.
    """
    found = {mark for path in {scan.path for scan in scans} if (mark := _fingerprint(path)) is not None}
    return np.array(sorted(found), dtype=np.uint64)


def fingerprint(scan: Row | Scan) -> int | None:
    """Return the fingerprint of one file; None where there is none that can be read."""
    return _fingerprint(scan.path)


def _fingerprint(path: Path | None) -> int | None:
    if path is None:
        return None
    try:
        if not path.is_file():  # a pipe would be waited for, and a device may have no end
            return None
        with path.open("rb") as file:
            found = hashlib.file_digest(file, partial(hashlib.blake2b, digest_size=8))
    except (OSError, ValueError):
        return None
    return int.from_bytes(found.digest(), "big")


def checked(values: NDArray[np.generic]) -> Fingerprints:
    """Return what a file holds as fingerprints; raise CorruptArtefact where it holds something else."""
    if values.dtype != np.uint64 or values.ndim != 1:
        raise CorruptArtefact(
            f"{LEARNED_FILES}: expected a list of fingerprints, received {values.dtype} {values.shape}."
        )
    return values.astype(np.uint64)


def count_learned(scans: Iterable[Row | Scan], learned: Fingerprints) -> int:
    """Return how many of these scans are files with one of these fingerprints."""
    known = set(learned.tolist())
    if not known:
        return 0
    marked = cache(_fingerprint)  # the slices of a volume share its file
    return sum(marked(scan.path) in known for scan in scans)
