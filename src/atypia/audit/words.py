"""How an audit says its numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from atypia.evaluation.intervals import Interval


def percent(share: float) -> str:
    """Return a share for reading, one digit more where it is small.

    >>> percent(0.0), percent(0.004), percent(0.034), percent(0.58), percent(1.0)
    ('0 %', '0.4 %', '3.4 %', '58 %', '100 %')
    """
    digits = 1 if 0 < share < 0.0995 else 0
    shown = f"{100 * share:.{digits}f} %"
    return (
        "< 0.1 %" if share > 0 and shown == "0.0 %" else "> 99 %" if share < 1 and shown == "100 %" else shown
    )


def plain_name(name: str) -> str:
    """Return the name of a shortcut as one says it.

    >>> plain_name("bytes_per_pixel"), plain_name("jpeg_quality"), plain_name("outside")
    ('bytes per pixel', 'JPEG quality', 'what lies around the head')
    """
    said = {
        "file": "all that is known of the file",
        "outside": "what lies around the head",
        "intensity": "statistics of the greys",
        "together": "all numbers together",
        "head_std": "contrast of the head",
        "interior_p98": "brightness of the smoothed interior",
        "jpeg_quality": "JPEG quality",
    }
    return said.get(name, name.replace("_p0", "_p").replace("_", " "))


def area(value: float, interval: Interval) -> str:
    """Return an AUROC with its interval for reading."""
    digits = 3 if value >= 0.985 else 2
    if any(math.isnan(end) for end in interval):
        return f"{value:.{digits}f}"
    return f"{value:.{digits}f} ({interval[0]:.{digits}f} to {interval[1]:.{digits}f})"


def counted(count: int, noun: str) -> str:
    """Return a number of things.

    >>> counted(1, "image"), counted(2000, "image")
    ('1 image', '2,000 images')
    """
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def listed(words: Sequence[str]) -> str:
    """Return words as a sentence lists them; there must be one.

    >>> listed(["train"]), listed(["train", "threshold", "validation"])
    ('train', 'train, threshold or validation')
    """
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
