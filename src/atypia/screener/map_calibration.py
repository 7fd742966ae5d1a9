"""From the maps of healthy scans to what is usual at each depth, and for regions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from atypia.atomic import not_written
from atypia.scan import Image, Mask
from atypia.scratch import Scratch
from atypia.screener.depth import depth_bins
from atypia.screener.healthy_depths import HealthyDepths
from atypia.screener.healthy_map import HealthyMap
from atypia.screener.healthy_regions import HealthyRegions
from atypia.screener.regions import Pieces

PIXELS_PER_SCAN = 2000
FOLDS = 5


class MapCalibration:
    """Takes the maps of healthy scans one by one and learns a HealthyMap from them.

    The maps wait on disk, so that memory does not grow with their pixels. Use it in a `with` statement.
    """

    def __init__(self) -> None:
        self._rng = np.random.default_rng(0)
        self._values: list[NDArray[np.float32]] = []
        self._bins: list[NDArray[np.uint8]] = []
        self._shape = (0, 0)

    def __enter__(self) -> Self:
        self._scratch = Scratch()
        self._maps = Path(self._scratch.name) / "maps"
        self._heads = Path(self._scratch.name) / "heads.bits"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._scratch.cleanup()

    def add(self, heat: Image, head: Mask) -> None:
        """Add the map (S, S) of a healthy scan with its head (S, S); raise OutputError on a full disk."""
        self._shape = (head.shape[0], head.shape[1])
        places = np.flatnonzero(head)
        drawn = places[self._rng.choice(places.size, PIXELS_PER_SCAN)]
        self._values.append(np.asarray(heat.ravel()[drawn], np.float32))
        self._bins.append(depth_bins(head).ravel()[drawn])
        try:
            with self._maps.open("ab") as maps, self._heads.open("ab") as heads:
                maps.write(np.ascontiguousarray(heat, np.float32).tobytes())
                heads.write(np.packbits(head).tobytes())
        except OSError as error:
            raise not_written(self._maps, error) from error

    def learn(self, groups: Sequence[object | None] = ()) -> HealthyMap:
        """Learn from all; `groups` names, in order, the patient of each scan, where known."""
        values, bins = np.concatenate(self._values), np.concatenate(self._bins)
        return HealthyMap.learn(
            values, HealthyDepths.learn(values, bins), HealthyRegions.learn(self.masses(groups))
        )

    def masses(self, groups: Sequence[object | None] = ()) -> list[NDArray[np.float64]]:
        """Return the masses (M,) of the pieces of each scan.

        They are found with what was learned by depth from other patients, for that is how a new scan will
        be met: five parts of the scans take turns.
        """
        values, bins, parts = np.stack(self._values), np.stack(self._bins), _parts(len(self._values), groups)
        masses: list[NDArray[np.float64]] = [np.zeros(0)] * len(values)
        for part in np.unique(parts):
            learned = parts != part if (parts != part).any() else parts == part
            depths = HealthyDepths.learn(values[learned].ravel(), bins[learned].ravel())
            for place in np.flatnonzero(parts == part):
                masses[place] = Pieces.of(depths.excess(*self._read(int(place)))).masses
        return masses

    def _read(self, place: int) -> tuple[Image, Mask]:
        area = self._shape[0] * self._shape[1]
        bits = -(-area // 8)
        heat = np.fromfile(self._maps, np.float32, area, offset=4 * area * place)
        packed = np.fromfile(self._heads, np.uint8, bits, offset=bits * place)
        head = np.unpackbits(packed, count=area).astype(bool)
        return heat.reshape(self._shape), head.reshape(self._shape)


def _parts(count: int, groups: Sequence[object | None]) -> NDArray[np.intp]:
    """Return in which of five parts each scan is, those of one group in the same."""
    known = list(groups) if groups else [None] * count
    first: dict[object, int] = {}
    numbers = [
        first.setdefault(("alone", place) if group is None else ("group", group), len(first))
        for place, group in enumerate(known)
    ]
    return np.array(numbers, dtype=np.intp) % FOLDS
