"""Which Screener findings come from, for results that travel without it."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from pathlib import Path

from atypia.screener import Screener
from atypia.threshold.guarantee import guarantee
from atypia.volume_finding import Maker


def maker_of(screener: Screener, file: Path | None = None, name: str | None = None) -> Maker:
    """Return what tells of a fitted Screener, with its hash where the `file` is given that it was saved as.

    `name` is what the user calls it; else the stem of its file. Raises BadOption before a fit.
    """
    threshold = screener.threshold_
    return Maker(
        name=name or (file.stem if file is not None else "unsaved Screener"),
        detector=screener.detector.name,
        version=version("atypia"),
        heat_scale=screener.heat_scale,
        sha256=None if file is None else hash_of(file),
        rule="" if threshold is None else guarantee(threshold),
    )


def hash_of(file: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
