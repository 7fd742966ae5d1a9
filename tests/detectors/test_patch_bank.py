from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atypia.detectors.patch_bank import PatchBank, coreset, squares

GRID = 10


def unit(values: np.ndarray) -> np.ndarray:
    return (values / np.linalg.norm(values, axis=-1, keepdims=True)).astype(np.float32)


def bank_of(count: int, reach: int | None, seed: int = 0) -> PatchBank:
    rng = np.random.default_rng(seed)
    members = unit(rng.normal(size=(count, 6))).astype(np.float16)
    places = rng.integers(0, GRID, (count, 2)).astype(np.int16)
    return PatchBank(members, places, rng.integers(0, 5, count).astype(np.int32), GRID, reach)


def compared_one_by_one(bank, cells, allowed=None):
    """The definition: of all members within reach, of allowed scans, the most alike."""
    found = np.full(cells.shape[:3], np.nan)
    for n, row, column in np.ndindex(*cells.shape[:3]):
        far = np.abs(bank.places.astype(int) - (row, column)).max(axis=1)
        may = np.ones(len(far), bool) if bank.reach is None else far <= bank.reach
        if allowed is not None:
            may &= allowed[n, bank.scans]
        if may.any():
            found[n, row, column] = (bank.members[may].astype(np.float32) @ cells[n, row, column]).max()
    return found


@pytest.mark.parametrize("reach", [None, 0, 1, 3])
@pytest.mark.parametrize("scans", [None, (0, 2)])
def test_the_blocked_search_finds_what_comparing_one_by_one_finds(reach, scans, rng):
    bank = bank_of(400, reach)
    cells = unit(rng.normal(size=(2, GRID, GRID, 6)))
    allowed = None
    if scans is not None:
        allowed = np.zeros((2, 5), bool)
        allowed[0, list(scans)] = True
        allowed[1, 4] = True
    likeness, which = bank.nearest(cells, allowed)
    expected = compared_one_by_one(bank, cells, allowed)
    known = np.isfinite(expected)
    assert known.mean() > 0.1
    assert np.allclose(likeness[known], expected[known], atol=1e-6)
    members = bank.members[which].astype(np.float32)
    assert np.allclose((members * cells).sum(-1), likeness, atol=1e-6)


@pytest.mark.parametrize("reach", [None, 0, 2])
def test_cells_that_nobody_wants_are_left_out_and_change_nothing_for_others(reach, rng):
    bank = bank_of(300, reach)
    cells = unit(rng.normal(size=(3, GRID, GRID, 6)))
    wanted = rng.random(cells.shape[:3]) < 0.4
    wanted[0] = False
    allowed = rng.random((3, 5)) < 0.5
    for own in (None, allowed):
        (likeness, which), (usual, members) = bank.nearest(cells, own, wanted), bank.nearest(cells, own)
        assert np.allclose(likeness[wanted], usual[wanted], atol=1e-6)
        assert np.array_equal(which[wanted], members[wanted])
        assert (likeness[~wanted] == 1).all()


def test_where_nothing_is_in_reach_the_nearest_around_are_compared(rng):
    bank = bank_of(2, 0)
    likeness, _ = bank.nearest(unit(rng.normal(size=(1, GRID, GRID, 6))))
    assert (np.abs(likeness) <= 1 + 1e-6).all()


def test_the_members_near_a_cell_are_those_within_reach():
    bank = bank_of(400, 2)
    near = bank.near(5, 5)
    apart = np.abs(bank.places.astype(int) - 5).max(axis=1)
    assert set(near) == set(np.flatnonzero(apart <= 2))
    assert len(bank_of(400, None).near(5, 5)) == 400
    assert len(bank_of(1, 0).near(9, 9)) == 1


@given(count=st.integers(1, 40), seed=st.integers(0, 50))
@settings(deadline=None, max_examples=40)
def test_a_coreset_has_different_members_and_never_too_many(count, seed):
    patches = unit(np.random.default_rng(seed).normal(size=(30, 6)))
    chosen = coreset(patches, count, np.random.default_rng(seed))
    assert len(chosen) == min(count, 30)
    assert len(set(chosen)) == len(chosen)


def test_a_coreset_covers_better_than_chance(rng):
    """Clusters of very unequal size: each gets its member."""
    centres = unit(rng.normal(size=(8, 40)))
    labels = np.repeat(np.arange(8), [1000, 500, 200, 5, 5, 5, 5, 5])
    patches = unit(centres[labels] + 0.01 * rng.normal(size=(len(labels), 40)))
    chosen = coreset(patches, 8, np.random.default_rng(0))
    assert set(labels[chosen]) == set(range(8))


def test_copies_are_not_chosen_twice():
    patches = np.repeat(np.eye(3, dtype=np.float32), 10, axis=0)
    assert len(coreset(patches, 20, np.random.default_rng(0))) == 3


@given(grid=st.integers(1, 30))
def test_squares_tile_the_grid(grid):
    seen = np.zeros((grid, grid), int)
    for rows, columns in squares(grid):
        seen[rows, columns] += 1
    assert (seen == 1).all()
