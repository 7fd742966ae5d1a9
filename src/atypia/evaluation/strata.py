"""The same figures within one kind, plane, sequence or scanner."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atypia.evaluation.image_metrics import ImageMetrics
from atypia.evaluation.verdicts import Unfit, Unreadable, Verdicts

COLUMNS = ("kind", "plane", "sequence", "scanner")
"""The columns of a table by which scans are parted."""

FEWEST = 2


@dataclass(frozen=True)
class Stratum:
    """How well the scans of one kind, plane, sequence or scanner were judged.

    Its abnormal scans stand against the normal scans of the same stratum (`own_normals`); those of a kind
    that has none, as a tumour has, stand against all normal scans. `image` is None where the stratum has a
    single scan, or scans of one label with no others to stand against: then there are the counts alone.
    """

    name: str
    normal: int
    abnormal: int
    own_normals: bool = True
    image: ImageMetrics | None = None
    unreadable: int = 0
    unfit: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return one entry of `by_kind`, `by_plane`, ... of `metrics.json`, NaN still in it."""
        return {
            "scans": {
                "normal": self.normal,
                "abnormal": self.abnormal,
                "unreadable": self.unreadable,
                "unfit": self.unfit,
            },
            "own_normals": self.own_normals,
            "image": None if self.image is None else self.image.to_dict(),
        }


@dataclass(frozen=True, eq=False)
class Parting:
    """What all scans and their strata are measured on: verdicts, the threshold, and what was not judged."""

    verdicts: Verdicts
    threshold: float
    alpha: float = math.nan
    unreadable: tuple[Unreadable, ...] = ()
    unfit: tuple[Unfit, ...] = ()
    resamples: int = 0

    def whole(self) -> ImageMetrics:
        """Return the figures of all scans together."""
        return self._measured(self.verdicts, unreadable=len(self.unreadable), unfit=len(self.unfit))

    def by(self, column: str) -> tuple[Stratum, ...]:
        """Return the strata of one of COLUMNS by name; kinds only where they have abnormal scans."""
        columns = {"kind": self.verdicts.kinds, **self.verdicts.taken}
        values = np.array([value or "" for value in columns.get(column, ())], dtype=np.str_)
        unreadable = Counter(_name(entry, column) for entry in self.unreadable)
        unfit = Counter(_name(entry, column) for entry in self.unfit)
        names = {*values.tolist(), *unreadable, *unfit} - {"", None}
        strata = [
            self._stratum(column, name, values == name, unreadable[name], unfit[name])
            for name in sorted(map(str, names))
        ]
        return tuple(stratum for stratum in strata if column != "kind" or self._has_abnormal(stratum))

    def _stratum(
        self, column: str, name: str, chosen: NDArray[np.bool_], unreadable: int, unfit: int
    ) -> Stratum:
        labels = self.verdicts.labels
        own = column != "kind" or bool((chosen & ~labels).any())
        alone = int(chosen.sum()) < FEWEST
        if not own:
            chosen = chosen | ~labels
        image = None
        if not alone and len(set(labels[chosen].tolist())) == 2:
            image = self._measured(self.verdicts.where(chosen), unreadable=unreadable, unfit=unfit)
        normal, abnormal = int((chosen & ~labels).sum()), int((chosen & labels).sum())
        return Stratum(name, normal, abnormal, own, image, unreadable, unfit)

    def _has_abnormal(self, stratum: Stratum) -> bool:
        lost = {entry.kind for entry in self.unreadable if entry.abnormal}
        lost |= {entry.kind for entry in self.unfit if entry.abnormal}
        return stratum.abnormal > 0 or stratum.name in lost

    def _measured(self, verdicts: Verdicts, *, unreadable: int, unfit: int) -> ImageMetrics:
        return ImageMetrics.of(
            verdicts,
            self.threshold,
            unreadable=unreadable,
            unfit=unfit,
            alpha=self.alpha,
            resamples=self.resamples,
        )


def _name(entry: Unreadable | Unfit, column: str) -> str | None:
    return entry.kind if column == "kind" else entry.taken.get(column)
