from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from atypia.loading import AHEAD, Loaded, in_batches, load, to_batch
from atypia.preparation import Preparation
from atypia.reading.row import Row
from atypia.scan import Scan

PREPARATION = Preparation(size=32)


@pytest.fixture(scope="module")
def scans(draw_heads):
    return [Scan(100 * pixels, f"{place:02}") for place, pixels in enumerate(draw_heads(12, size=40)[0])]


@pytest.fixture
def rows(scans, tmp_path) -> list[Row]:
    made = []
    for scan in scans:
        path = tmp_path / f"{scan.name}.png"
        Image.fromarray(np.uint8(scan.pixels)).save(path)
        made.append(Row(path, f"in/{scan.name}.png", group=scan.name[0]))
    return made


def test_rows_and_scans_come_read_prepared_and_in_order(rows, scans):
    found = list(load([*rows, *scans], PREPARATION))
    assert [item.name for item in found] == [row.name for row in rows] + [scan.name for scan in scans]
    assert all(item.error is None for item in found)
    for item, scan in zip(found[12:], scans, strict=True):
        assert np.array_equal(item.prepared.pixels, PREPARATION(scan).pixels)
        assert item.prepared.geometry.shape == (40, 40)


def test_a_bad_scan_is_its_error_and_the_others_go_on(rows, scans, tmp_path):
    rows[3].path.write_bytes(b"not a picture at all")
    rows[5].path.write_bytes(rows[5].path.read_bytes()[:200])
    black = Scan(np.zeros((40, 40), np.float32), "black")
    missing = Row(tmp_path / "none.png", "none.png")
    found = {item.name: item for item in load([*rows, black, scans[0], missing], PREPARATION)}
    failed = {name for name, item in found.items() if item.prepared is None}
    assert failed == {"in/03.png", "in/05.png", "black", "none.png"}
    assert len(found) == 15
    for name in failed:
        assert "expected" in str(found[name].error)
    assert str(tmp_path / "none.png") in str(found["none.png"].error)


def test_no_more_than_so_many_are_read_ahead(scans):
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield scans[taken % 12]

    loaded = load(endless(), PREPARATION)
    for given in range(1, 60):
        next(loaded)
        assert taken <= given + AHEAD
    loaded.close()


def test_order_is_kept_where_the_first_takes_longest(scans):
    def slow(scan: Scan):
        time.sleep(0.05 if scan.name == "00" else 0)
        return PREPARATION(scan)

    assert [item.name for item in load(scans, slow)] == [scan.name for scan in scans]


def test_nothing_goes_on_after_the_reader_left(scans):
    before = threading.active_count()
    loaded = load(iter(scans * 20), PREPARATION)
    next(loaded)
    loaded.close()
    end = time.monotonic() + 20  # what was begun ends by itself
    while threading.active_count() > before and time.monotonic() < end:
        time.sleep(0.01)
    assert threading.active_count() <= before  # those of others may have ended meanwhile


def test_what_the_caller_s_list_raises_reaches_the_caller(scans):
    def broken():
        yield scans[0]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(load(broken(), PREPARATION))


def test_batches_gather_what_could_be_prepared(scans):
    good = [Loaded(scan.name, scan, PREPARATION(scan)) for scan in scans[:5]]
    bad = [Loaded("bad", scans[5]), Loaded("worse", scans[6])]
    parts = list(in_batches([good[0], bad[0], *good[1:], bad[1]], 3))
    assert [[item.name for item in part] for part, _ in parts] == [
        ["00", "bad", "01"],
        ["02", "03", "04"],
        ["worse"],
    ]
    first, second, third = (batch for _, batch in parts)
    assert (len(first), len(second), third) == (2, 3, None)
    assert np.array_equal(first.pixels[1], good[1].prepared.pixels)
    assert np.array_equal(second.foreground[2], good[4].prepared.foreground)
    assert to_batch([]) is None


def test_an_empty_list_gives_nothing():
    assert list(load([], PREPARATION)) == []
    assert list(in_batches([], 3)) == []


def test_the_name_of_the_row_is_kept_not_that_of_the_file(rows):
    (item,) = load(rows[:1], PREPARATION)
    assert item.name == "in/00.png"
    assert isinstance(rows[0].path, Path)
