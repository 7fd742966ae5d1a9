from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from atypia.reading.row import Row
from atypia.screening.plan import shards_of
from atypia.writing.volume_gathering import volume_of

# Each a picture, or a volume of so many slices; 0 is one that could not be parted.
THINGS = st.lists(st.one_of(st.none(), st.integers(0, 5)), max_size=20)


def rows_of(things: list[int | None]) -> list[Row]:
    rows = []
    for number, slices in enumerate(things):
        if slices is None:
            rows.append(Row(Path(f"{number}.png"), f"{number}.png"))
            continue
        volume = Row(Path(f"{number}.nii"), f"{number}.nii")
        names = [f"{volume.name}:ax{index:03}" for index in range(slices)]
        parted = [Row(volume.path, name, slice=n, plane="axial") for n, name in enumerate(names)]
        rows += parted or [volume]
    return rows


@given(THINGS, st.integers(1, 12))
def test_shards_cover_all_and_never_split_a_volume(things, size):
    rows = rows_of(things)
    shards, volumes = shards_of(rows, size)
    assert [row for shard in shards for row in rows[shard.start : shard.stop]] == rows
    assert [shard.number for shard in shards] == list(range(len(shards)))
    for one, other in pairwise(shards):
        assert len(one) >= size
        before, after = volume_of(rows[one.stop - 1]), volume_of(rows[other.start])
        assert one.stop == other.start
        assert before is None or before != after
    assert volumes == sum(thing is not None for thing in things)
    for shard in shards:
        named = {volume_of(row) for row in rows[: shard.start]} - {None}
        assert shard.before == len(named)


@given(THINGS)
def test_pictures_are_parted_by_the_size_alone(things):
    rows = rows_of([None for _ in things])
    assert [len(shard) for shard in shards_of(rows, 4)[0][:-1]] == [4] * (max(len(rows) - 1, 0) // 4)


def test_two_planes_of_a_volume_count_as_two():
    rows = [Row(Path("a.nii"), f"a.nii:{p[:2]}001", slice=1, plane=p) for p in ("axial", "coronal")]
    shards, volumes = shards_of(rows, 1)
    assert volumes == 2
    assert [shard.before for shard in shards] == [0, 1]
