from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atypia.reading import packed as module
from atypia.reading.packed import BLOCK, PackedRows
from atypia.reading.row import Row

texts = st.text(min_size=1, max_size=8).filter(lambda text: "\0" not in text)
rows = st.builds(
    Row,
    path=texts.map(Path),
    name=texts,
    label=st.sampled_from([None, "normal", "abnormal"]),
    group=st.none() | texts,
    mask=st.none() | texts.map(Path),
    slice=st.none() | st.integers(0, 300),
)


@given(st.lists(rows, max_size=20))
def test_what_is_unpacked_is_what_was_packed(plain):
    packed = PackedRows(plain)
    assert list(packed) == plain
    assert [packed[place] for place in range(len(plain))] == plain
    assert packed[3:-2] == plain[3:-2]
    assert packed[::-3] == plain[::-3]


def test_rows_are_found_in_every_block():
    plain = [Row(Path(f"{place}.png"), str(place)) for place in range(2 * BLOCK + 5)]
    packed = PackedRows.of(plain)
    assert len(packed) == len(plain)
    for place in (0, BLOCK - 1, BLOCK, 2 * BLOCK + 4, -1, -BLOCK - 6):
        assert packed[place] == plain[place]
    assert list(packed[BLOCK - 2 : BLOCK + 2]) == plain[BLOCK - 2 : BLOCK + 2]
    assert PackedRows.of(packed) is packed
    for place in (len(plain), -len(plain) - 1):
        with pytest.raises(IndexError):
            packed[place]


def test_names_that_are_no_unicode_are_kept():
    odd = Row(Path("caf\udce9.png"), "caf\udce9.png")
    assert list(PackedRows([odd])) == [odd]


def test_a_row_takes_few_bytes():
    tracemalloc.start()
    try:
        packed = PackedRows(Row(Path(f"archive/{n:06}.png"), f"archive/{n:06}.png") for n in range(10_000))
        found = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, module.__file__)])
    finally:
        tracemalloc.stop()
    assert len(packed) == 10_000
    assert 0 < sum(trace.size for trace in found.traces) < 20 * len(packed)
