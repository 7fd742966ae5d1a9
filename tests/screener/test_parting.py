from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atypia.errors import NotEnoughScans
from atypia.reading.collection import Collection, Row
from atypia.scan import Scan
from atypia.screener.parting import CALIBRATION_SHARE, FEWEST_CALIBRATION, part_scans

GROUPS = st.lists(st.one_of(st.none(), st.integers(0, 30).map(str)), min_size=20, max_size=80)


def rows(groups) -> Collection:
    made = (Row(Path(f"{n}.png"), f"{n}.png", group=group) for n, group in enumerate(groups))
    return Collection(tuple(made), "folder")


def scans(groups) -> list[Scan]:
    return [Scan(np.zeros((2, 2), np.float32), f"{n}.png", group=group) for n, group in enumerate(groups)]


@given(GROUPS, st.integers(0, 100), st.sampled_from([rows, scans]))
def test_every_scan_is_on_one_side_and_every_group_too(groups, seed, kind):
    if len(set(groups) - {None}) + groups.count(None) < 2:
        return
    train, held_out = part_scans(kind(groups), None, seed)
    names = [[item.name for item in part] for part in (train, held_out)]
    assert sorted(names[0] + names[1]) == sorted(f"{n}.png" for n in range(len(groups)))
    assert train
    assert held_out
    known = [{item.group for item in part} - {None} for part in (train, held_out)]
    assert known[0].isdisjoint(known[1])


@pytest.mark.parametrize("kind", [rows, scans])
@pytest.mark.parametrize("count", [20, 22, 24, 25, 100])
def test_a_fifth_is_kept_aside_and_never_too_few(kind, count):
    _, held_out = part_scans(kind([None] * count), None, 0)
    assert len(held_out) == max(FEWEST_CALIBRATION, round(CALIBRATION_SHARE * count))


def test_same_seed_same_parts_and_the_order_within_them_is_kept():
    collection = rows([None] * 40)
    first, again, other = (part_scans(collection, None, seed) for seed in (1, 1, 2))
    assert first == again != other
    for part in first:
        places = [int(item.name.removesuffix(".png")) for item in part]
        assert places == sorted(places)


def test_a_named_calibration_leaves_the_rest_whole():
    given, aside = rows([None] * 30), scans([None] * 3)
    train, held_out = part_scans(given, aside, 0)
    assert (train, held_out) == (list(given), aside)


def test_one_group_cannot_be_parted():
    with pytest.raises(NotEnoughScans, match="two groups"):
        part_scans(rows(["a"] * 30), None, 0)


def test_rows_of_other_splits_are_left_out():
    table = rows([None] * 30)
    splits = (
        ["train"] * 10 + ["threshold"] * 6 + ["validation"] * 4 + ["test"] * 5 + ["tumor_test"] * 4 + [None]
    )
    table = replace(table, rows=tuple(replace(r, split=s) for r, s in zip(table, splits, strict=True)))
    train, held_out = part_scans(table, None, 0)
    assert [len(train), len(held_out)] == [10, 6]
