"""The bank of healthy patches: chosen so that they cover all, bounded, and searched by place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Places = NDArray[np.intp]
# Patches are chosen in squares of so many cells a side, and searched in smaller ones.
SQUARE, SEARCHED = 4, 2
# So many products of cells and members are held at once.
PRODUCTS = 2**22
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

    def nearest(
        self, cells: Array, allowed: NDArray[np.bool_] | None = None, wanted: NDArray[np.bool_] | None = None
    ) -> tuple[Array, Places]:
        """Return, for cells (N, G, G, D), the cosine to the most alike member and which one: (N, G, G) each.

        `allowed` (N, scans) names the healthy scans to compare each scan with. Where none of the members in
        reach is of these, all in reach are compared; where none is in reach, those of the squares around.
        Cells that are not `wanted` (N, G, G) are not compared: 1 is told of them, and the first member.
        Each square of cells takes one matrix product with the members around it, or several where the product
        would have more than `PRODUCTS` values: memory does not grow with the bank.
        """
        best = np.ones(cells.shape[:3], np.float32)
        which = np.zeros(cells.shape[:3], np.intp)
        asked = np.ones(cells.shape[:3], bool) if wanted is None else wanted
        for rows, columns, around, far in self._searches:
            # Those of one place in the square stand together, so that what is far is so for a row of them.
            down, right, scan = np.nonzero(asked[:, rows, columns].transpose(1, 2, 0))
            if not len(scan):
                continue
            spots = scan, rows.start + down, columns.start + right
            counts = np.bincount(down * (columns.stop - columns.start) + right)
            own = None if allowed is None else allowed[scan]
            best[spots], which[spots] = self._search(cells[spots], around, far, counts, own)
        return best, which

    def _search(
        self,
        cells: Array,
        around: Places,
        far: Array | None,
        counts: Places,
        allowed: NDArray[np.bool_] | None,
    ) -> tuple[Array, Places]:
        """Return cosine and place of the most alike of these members, (P,) each, for cells (P, D).

        `counts` are the numbers of cells at each place of a square, and `far` has a row for each.
        """
        count, every = len(cells), np.arange(len(cells))
        at_once = max(1, PRODUCTS // count)
        standing = np.full(count, -np.inf, np.float32)
        best, which = np.empty(count, np.float32), np.empty(count, np.intp)
        for start in range(0, len(around), at_once):
            some = around[start : start + at_once]
            likeness = cells @ self._members[some].T
            if far is not None:
                for own, (first, last) in zip(far, pairwise([0, *np.cumsum(counts)]), strict=False):
                    likeness[first:last] += own[start : start + at_once]
            judged = likeness
            if allowed is not None:
                judged = likeness + np.where(allowed[:, self.scans[some]], 0, NEVER / 2).astype(np.float32)
            found = judged.argmax(axis=1)
            value = judged[every, found]
            better = value > standing
            standing = np.where(better, value, standing)
            best = np.where(better, likeness[every, found], best)
            which = np.where(better, some[found], which)
        return best, which

    def near(self, row: int, column: int) -> Places:
        """Return the members that a cell may be compared with."""
        if self.reach is None:
            return np.arange(len(self.members))
        apart = np.abs(self.places.astype(int) - (row, column)).max(axis=1)
        found = np.flatnonzero(apart <= self.reach)
        return found if len(found) else self._around[row - row % SQUARE, column - column % SQUARE]

    @cached_property
    def _members(self) -> Array:
        return self.members.astype(np.float32)

    @cached_property
    def _around(self) -> dict[tuple[int, int], Places]:
        """The members within reach of any cell of each square; at least those of the nearest ones."""
        found = {}
        for rows, columns in squares(self.grid):
            apart = self._apart(rows, columns)
            limit = apart.max() if self.reach is None else max(self.reach, apart.min())
            found[rows.start, columns.start] = np.flatnonzero(apart <= limit)
        return found

    @cached_property
    def _searches(self) -> list[tuple[slice, slice, Places, Array | None]]:
        """What is compared with what: rows and columns of cells, the members around, and which are too far.

        The last is (cells, members), 0 within reach and NEVER beyond, None without a reach; where all are
        beyond it is 0. Squares of two cells a side have fewer members beyond the reach of some of their cells
        than those of four.
        """
        if self.reach is None:
            return [
                (*square, self._around[square[0].start, square[1].start], None)
                for square in squares(self.grid)
            ]
        found: list[tuple[slice, slice, Places, Array | None]] = []
        for rows, columns in squares(self.grid, SEARCHED):
            around = np.flatnonzero(self._apart(rows, columns) <= self.reach)
            far = self._far(rows, columns, around)
            if not len(around) or (far < 0).all(axis=1).any():
                around = self._around[
                    rows.start - rows.start % SQUARE, columns.start - columns.start % SQUARE
                ]
                far = self._far(rows, columns, around)
                far[(far < 0).all(axis=1)] = 0
            found.append((rows, columns, around, far))
        return found

    def _apart(self, rows: slice, columns: slice) -> NDArray[np.integer[Any]]:
        """Return by how many rows or columns each member (M,) lies outside a square."""
        low, high = (rows.start, columns.start), (rows.stop - 1, columns.stop - 1)
        return np.asarray(np.maximum(np.maximum(low - self.places, self.places - high), 0).max(axis=1))

    def _far(self, rows: slice, columns: slice, around: Places) -> Array:
        apart = np.abs(places_in(rows, columns)[:, None] - self.places[around]).max(axis=-1)
        return np.where(apart <= self.reach, 0, NEVER).astype(np.float32)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the members with their places and scans by name."""
        return {"members": self.members, "places": self.places, "scans": self.scans}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]], grid: int, reach: int | None) -> Self:
        """Rebuild from `arrays`; raise KeyError where one is missing."""
        return cls(arrays["members"], arrays["places"], arrays["scans"], grid, reach)


def squares(grid: int, side: int = SQUARE) -> Iterator[tuple[slice, slice]]:
    """Yield the squares that tile a grid, as slices of rows and columns."""
    for top in range(0, grid, side):
        for left in range(0, grid, side):
            yield slice(top, min(top + side, grid)), slice(left, min(left + side, grid))


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
