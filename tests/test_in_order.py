from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atypia.in_order import in_order, queued, threads


def in_threads(work, items, *, workers, ahead):
    """Do what scoring does: keep a pool open in a generator."""
    with threads(workers) as pool:
        yield from queued(work, items, pool, ahead=ahead)


@settings(deadline=None, max_examples=30)
@given(items=st.lists(st.integers()), workers=st.integers(1, 4), ahead=st.integers(1, 9))
def test_every_item_is_worked_on_once_and_in_order(items, workers, ahead):
    assert list(in_order(lambda n: 2 * n, items, workers=workers, ahead=ahead)) == [2 * n for n in items]


def test_order_is_kept_where_the_first_takes_longest():
    def work(number: int) -> int:
        time.sleep(0.05 if number == 0 else 0)
        return number

    assert list(in_order(work, range(12), workers=3, ahead=6)) == list(range(12))


def test_items_are_worked_on_at_the_same_time():
    both = threading.Barrier(2, timeout=20)
    assert len(list(in_order(lambda _: both.wait(), range(2), workers=2, ahead=2))) == 2


@pytest.mark.parametrize("ahead", [1, 2, 7])
def test_no_more_than_so_many_of_endless_items_are_taken(ahead):
    taken = []
    results = in_order(lambda n: n, (taken.append(n) or n for n in count()), workers=2, ahead=ahead)
    assert taken == []
    for given_out in range(1, 40):
        next(results)
        assert len(taken) == given_out - 1 + ahead
    results.close()


def test_what_waits_is_not_begun_once_the_reader_has_left(monkeypatch):
    begun, leave, wait_for_all = [], threading.Event(), ThreadPoolExecutor.shutdown
    monkeypatch.setattr(
        ThreadPoolExecutor, "shutdown", lambda pool, **asked: (leave.set(), wait_for_all(pool, **asked))
    )

    def work(number: int) -> int:
        begun.append(number)
        if number:
            leave.wait(20)
        return number

    before = threading.active_count()
    results = in_order(work, count(), workers=1, ahead=8)
    assert next(results) == 0
    results.close()
    assert begun in ([0], [0, 1])
    assert leave.is_set()
    end = time.monotonic() + 20
    while threading.active_count() > before and time.monotonic() < end:
        time.sleep(0.01)
    assert threading.active_count() <= before  # those of others may have ended meanwhile
    assert begun in ([0], [0, 1])


@pytest.mark.parametrize("kind", [in_order, in_threads])
def test_a_reader_that_leaves_waits_for_no_thread(kind):
    # A forgotten generator is closed by the garbage collector, in any thread and at any moment.
    go_on, begun, ended = threading.Event(), threading.Event(), []

    def work(number: int) -> int:
        if number:
            begun.set()
            go_on.wait(60)
            ended.append(number)
        return number

    results = kind(work, count(), workers=2, ahead=4)
    assert next(results) == 0
    assert begun.wait(20)
    del results
    assert ended == []
    go_on.set()


def test_what_the_work_raises_comes_in_its_turn():
    results = in_order(lambda n: 1 // (3 - n), range(9), workers=2, ahead=4)
    assert [next(results) for _ in range(3)] == [0, 0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)
    with pytest.raises(StopIteration):
        next(results)


def test_what_the_items_raise_reaches_the_reader():
    def broken():
        yield 1
        raise LookupError

    with pytest.raises(LookupError):
        list(in_order(lambda n: n, broken(), workers=2, ahead=4))
