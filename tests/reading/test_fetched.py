from __future__ import annotations

import errno
import threading
import time
from pathlib import Path

import pytest

from atypia.errors import UnreadableScan
from atypia.reading import fetched as module
from atypia.reading.fetched import FLYING, fetched, fetched_ahead
from atypia.reading.row import Row


class Store:
    """Answers slowly, and counts how many requests it had, and had at once."""

    def __init__(self) -> None:
        self.asked: list[Path] = []
        self.now = self.most = 0
        self._lock = threading.Lock()

    def __call__(self, path: Path) -> bytes:
        with self._lock:
            self.asked.append(path)
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.01)
        with self._lock:
            self.now -= 1
        if path.name == "gone.png":
            raise FileNotFoundError(errno.ENOENT, "no such object")
        return path.name.encode()


@pytest.fixture
def store(monkeypatch):
    slow = Store()
    monkeypatch.setattr(module, "fetch", slow)
    yield slow
    assert not module._begun


def objects(count):
    return [Row(Path(f"s3://bucket/{place}.png"), str(place)) for place in range(count)]


def test_objects_are_fetched_side_by_side_and_once(store):
    rows = objects(3 * FLYING)
    found = [fetched(row.path, "a picture") for row in fetched_ahead(rows)]
    assert found == [row.path.name.encode() for row in rows]
    assert sorted(store.asked) == sorted(row.path for row in rows)
    assert FLYING // 2 < store.most <= FLYING


@pytest.mark.usefixtures("store")
def test_an_object_that_two_rows_name_is_there_for_both():
    rows = objects(2) * 2
    assert [fetched(row.path, "a picture") for row in fetched_ahead(rows)] == [b"0.png", b"1.png"] * 2


def test_files_are_not_read_ahead(store):
    taken = []

    def rows():
        for place in range(5):
            taken.append(place)
            yield Row(Path(f"{place}.png"), str(place))

    ahead = fetched_ahead(rows())
    assert next(ahead).name == "0"
    assert taken == [0]
    assert not store.asked


@pytest.mark.usefixtures("store")
def test_files_between_objects_keep_their_place():
    rows = [*objects(2), Row(Path("here.png"), "here"), *objects(4)[2:]]
    names = []
    for row in fetched_ahead(rows):
        names.append(row.name)
        if row.name != "here":
            fetched(row.path, "a picture")
    assert names == ["0", "1", "here", "2", "3"]


def test_a_reader_that_leaves_leaves_nothing_behind(store):
    ahead = fetched_ahead(objects(100))
    fetched(next(ahead).path, "a picture")
    next(ahead)  # taken, and never read
    ahead.close()
    assert len(store.asked) <= FLYING + 2


@pytest.mark.usefixtures("store")
def test_what_could_not_be_fetched_is_told_of_its_scan():
    rows = [Row(Path("s3://bucket/gone.png"), "gone"), *objects(1)]
    ahead = fetched_ahead(rows)
    with pytest.raises(UnreadableScan, match=r"gone\.png: expected a picture, received no such"):
        fetched(next(ahead).path, "a picture")
    assert fetched(next(ahead).path, "a picture") == b"0.png"
