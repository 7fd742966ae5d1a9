"""Exact values that one side has and the other has not, such as 512x512 pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atypia.scalars import Measured

LEAST_DIFFERENCE = 0.2
SHOWN = 4

_FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WebP")
_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp", "another suffix")
_MODES = ("grey", "palette", "colour", "transparency", "more than 8 bits")


@dataclass(frozen=True)
class ExactValue:
    """A value, in words, and the share of each side that has exactly it, in [0, 1]."""

    value: str
    first: float
    second: float

    @property
    def difference(self) -> float:
        """How far the shares lie apart, in [0, 1]."""
        return abs(self.first - self.second)


def find_exact(measured: Measured, truth: NDArray[np.bool_]) -> tuple[ExactValue, ...]:
    """Return the values whose shares differ most between the sides; `truth` (N,) is that of each scan."""
    found = []
    for values in _spoken(measured).values():
        best = _most_different(values, truth)
        if best is not None and best.difference >= LEAST_DIFFERENCE:
            found.append(best)
    return tuple(sorted(found, key=lambda value: -value.difference)[:SHOWN])


def _most_different(values: Sequence[str | None], truth: NDArray[np.bool_]) -> ExactValue | None:
    counts = Counter(zip(values, truth.tolist(), strict=True))
    sides = {side: max(int((truth == side).sum()), 1) for side in (False, True)}
    candidates = [
        ExactValue(value, counts[value, False] / sides[False], counts[value, True] / sides[True])
        for value in {value for value, _ in counts if value is not None}
    ]
    return max(candidates, key=lambda value: (value.difference, value.value), default=None)


def _spoken(measured: Measured) -> Mapping[str, list[str | None]]:
    """Return the exact values of every scan in words, None where a scan has none."""
    sizes = zip(measured.column("width"), measured.column("height"), strict=True)
    return {
        "size": [f"{w:.0f}x{h:.0f} pixels" if np.isfinite(w) else None for w, h in sizes],
        "quality": [
            f"JPEG quality {value:.0f}" if np.isfinite(value) else None
            for value in measured.column("jpeg_quality")
        ],
        "format": _named(measured.column("file_format"), _FORMATS, "files that are {}"),
        "suffix": _named(measured.column("file_suffix"), _SUFFIXES, "files named {}"),
        "mode": _named(measured.column("colour_mode"), _MODES, "stored as {}"),
    }


def _named(codes: NDArray[np.float64], names: Sequence[str], words: str) -> list[str | None]:
    return [words.format(names[int(code)]) if np.isfinite(code) else None for code in codes]
