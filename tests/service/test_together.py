from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from atypia.service.together import Together


@pytest.fixture
def pool():
    with ThreadPoolExecutor(1) as made:
        yield made


def test_what_waits_is_done_in_one_call_and_each_gets_its_own(pool):
    begun, go, calls = threading.Event(), threading.Event(), []

    def work(things):
        calls.append(list(things))
        begun.set()
        go.wait(10)
        return [thing * thing for thing in things]

    together = Together(pool, work, most=4)
    first = together.submit(1)
    assert begun.wait(10)
    others = [together.submit(number) for number in range(2, 8)]
    go.set()
    assert [one.result(10) for one in (first, *others)] == [1, 4, 9, 16, 25, 36, 49]
    assert calls == [[1], [2, 3, 4, 5], [6, 7]]


def test_what_is_raised_is_raised_for_each_and_the_next_goes_on(pool):
    def work(things):
        if "bad" in things:
            raise ValueError("no")
        return things

    together = Together(pool, work)
    with pytest.raises(ValueError, match="no"):
        together.submit("bad").result(10)
    assert together.submit("good").result(10) == "good"


def test_what_was_given_up_before_its_turn_is_not_done(pool):
    go, done = threading.Event(), []
    pool.submit(go.wait, 10)
    together = Together(pool, lambda things: [done.append(thing) for thing in things])
    left, kept = together.submit("left"), together.submit("kept")
    assert left.cancel()
    go.set()
    kept.result(10)
    assert done == ["kept"]


def test_one_who_gives_too_little_leaves_nobody_waiting(pool):
    together = Together(pool, lambda _things: [])
    with pytest.raises(ValueError, match="shorter"):
        together.submit("thing").result(10)
