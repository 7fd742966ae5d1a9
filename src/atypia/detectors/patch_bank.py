"""The bank of healthy patches: chosen so that they cover all, bounded, and searched by place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Places = NDArray[np.intp]
# Patches are chosen, and searched, in squares of so many cells a side.
SQUARE = 4
# More candidates in a square than this are drawn from at random first: it bounds the time of the choice.
CANDIDATES = 6000
PROJECTED = 32
# Squared distances below this are rounding.
SAME = 1e-6
# Cosines are at least -1: what may not be compared is put far below.
NEVER = -8.0


@final
@dataclass(frozen=True, eq=False)
class PatchBank:
    """Healthy patches: `members` float16 (M, D) of length 1, `places` int16 (M, 2) and `scans` int32 (M,).

    `grid` is the side of the canvas in cells. With a `reach` a cell is compared with the members at most so
    many rows and columns from it, with None with all of them.
    """

    members: NDArray[np.float16]
    places: NDArray[np.int16]
    scans: NDArray[np.int32]
    grid: int
    reach: int | None

    def nearest(self, cells: Array, allowed: NDArray[np.bool_] | None = None) -> tuple[Array, Places]:
        """Return, for cells (N, G, G, D), the cosine to the most alike member and which one: (N, G, G) each.

        `allowed` (N, scans) names the healthy scans to compare each scan with. Where none of the members in
        reach is of these, all in reach are compared; where none is in reach, those of the squares around.
        Each square of cells takes one matrix product with the members around it.
        """
        n = len(cells)
        best = np.empty(cells.shape[:3], np.float32)
        which = np.empty(cells.shape[:3], np.intp)
        for rows, columns in self._squares():
            square = cells[:, rows, columns]
            around = self._around[rows.start, columns.start]
            products = square.reshape(-1, cells.shape[-1]) @ self._members[around].T
            likeness = products.reshape(n, -1, len(around))
            far = self._far(rows, columns, around)
            strange = None if allowed is None else np.where(allowed[:, self.scans[around]], 0, NEVER / 2)
            found = _best(likeness, far, strange)
            best[:, rows, columns] = np.take_along_axis(likeness, found[..., None], -1).reshape(
                square.shape[:3]
            )
            which[:, rows, columns] = around[found].reshape(square.shape[:3])
        return best, which

    def near(self, row: int, column: int) -> Places:
        """Return the members that a cell may be compared with."""
        if self.reach is None:
            return np.arange(len(self.members))
        apart = np.abs(self.places.astype(int) - (row, column)).max(axis=1)
        found = np.flatnonzero(apart <= self.reach)
        return found if len(found) else self._around[row - row % SQUARE, column - column % SQUARE]

    def _squares(self) -> Iterator[tuple[slice, slice]]:
        return squares(self.grid)

    @cached_property
    def _members(self) -> Array:
        return self.members.astype(np.float32)

    @cached_property
    def _around(self) -> dict[tuple[int, int], Places]:
        """The members within reach of any cell of each square; at least those of the nearest ones."""
        found = {}
        for rows, columns in self._squares():
            low, high = (rows.start, columns.start), (rows.stop - 1, columns.stop - 1)
            apart = np.maximum(np.maximum(low - self.places, self.places - high), 0).max(axis=1)
            limit = apart.max() if self.reach is None else max(self.reach, apart.min())
            found[rows.start, columns.start] = np.flatnonzero(apart <= limit)
        return found

    def _far(self, rows: slice, columns: slice, around: Places) -> Array | None:
        """Return (cells of the square, members): 0 within reach and NEVER beyond; None without a reach."""
        if self.reach is None:
            return None
        own = places_in(rows, columns)[:, None]
        apart = np.abs(own - self.places[around]).max(axis=-1)
        return np.where(apart <= self.reach, 0, NEVER).astype(np.float32)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the members with their places and scans by name."""
        return {"members": self.members, "places": self.places, "scans": self.scans}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]], grid: int, reach: int | None) -> Self:
        """Rebuild from `arrays`; raise KeyError where one is missing."""
        return cls(arrays["members"], arrays["places"], arrays["scans"], grid, reach)


def squares(grid: int) -> Iterator[tuple[slice, slice]]:
    """Yield the squares that tile a grid, as slices of rows and columns."""
    for top in range(0, grid, SQUARE):
        for left in range(0, grid, SQUARE):
            yield slice(top, min(top + SQUARE, grid)), slice(left, min(left + SQUARE, grid))


def places_in(rows: slice, columns: slice) -> Places:
    """Return the places (P, 2) of a square, row by row."""
    down, right = np.meshgrid(
        np.arange(rows.start, rows.stop), np.arange(columns.start, columns.stop), indexing="ij"
    )
    return np.stack([down.ravel(), right.ravel()], axis=1)


def coreset(patches: Array, count: int, rng: np.random.Generator) -> Places:
    """Choose `count` of the patches (N, D) such that the farthest of the others is as near as can be.

    The greedy choice of Roth et al., "Towards total recall in industrial anomaly detection", CVPR 2022,
    equation 5 and algorithm 1, on a random projection to 32 dimensions (Johnson and Lindenstrauss): the next
    is always the one farthest from those chosen. Exact copies are not chosen twice, so it may choose fewer.
    """
    if count >= len(patches):
        return np.arange(len(patches))
    projection = rng.normal(size=(patches.shape[1], PROJECTED)).astype(np.float32) / np.sqrt(PROJECTED)
    points = patches @ projection.astype(np.float32)
    squared = (points * points).sum(axis=1)
    chosen = [int(rng.integers(len(points)))]
    apart = np.full(len(points), np.inf, np.float32)
    while len(chosen) < count:
        last = chosen[-1]
        apart = np.minimum(apart, squared + squared[last] - 2 * (points @ points[last]))
        apart[last] = 0
        farthest = int(apart.argmax())
        if not apart[farthest] > SAME:
            break
        chosen.append(farthest)
    return np.sort(np.array(chosen))


def _best(likeness: Array, far: Array | None, strange: NDArray[np.floating[Any]] | None) -> Places:
    """Return the place of the most alike allowed member, (N, cells)."""
    penalised = likeness if far is None else likeness + far
    if strange is not None:
        penalised = penalised + strange[:, None].astype(np.float32)
    return np.asarray(penalised.argmax(axis=-1))
