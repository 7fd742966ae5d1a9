"""A server ends in time, whatever part of it hangs."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from atypia.service import ending
from atypia.service.ending import Ending
from atypia.service.work import supervisor as supervising
from atypia.service.work.supervisor import Supervisor


@pytest.fixture
def forever():
    """What hangs until the test is over."""
    over = threading.Event()
    yield lambda *_: over.wait(60)
    over.set()


def test_the_promise_leaves_room_below_ten_seconds():
    assert supervising.GRACE_SECONDS < ending.PARTS_SECONDS < ending.END_SECONDS < 10


def test_a_part_that_hangs_holds_no_other_up(forever):
    ended, left = [], []
    it = Ending(
        {"node": forever, "workers": lambda: ended.append("workers")}, lambda: left.append("killed"), 0.3,
        left.append,
    )  # fmt: skip
    begun = time.monotonic()
    it.begin()
    it.wait()
    assert ended == ["workers"]
    assert time.monotonic() - begun < 5
    assert left == [], "nothing was promised"


def test_what_was_promised_is_kept_where_all_else_hangs():
    done, gone = [], threading.Event()

    def leave(code: int) -> None:
        done.append(code)
        gone.set()

    it = Ending({}, lambda: done.append("killed"), 0.05, leave)
    for _ in range(3):  # a second signal takes nothing back
        it.promise()
    assert gone.wait(10)
    assert done == ["killed", 0]


class Deaf:
    """A worker that heeds no word, only the last."""

    pid, exitcode = 0, None

    def __init__(self) -> None:
        self.heard, self.dead = [], False

    def is_alive(self) -> bool:
        return not self.dead

    def terminate(self) -> None:
        self.heard.append("end")

    def kill(self) -> None:
        self.dead = True

    def join(self, seconds: float) -> None:
        if not self.dead:
            time.sleep(seconds)


def test_workers_that_do_not_listen_and_a_watch_that_hangs_are_left(
    settings, store, home, monkeypatch, forever
):
    for name, seconds in (("GRACE_SECONDS", 0.2), ("_WATCH_SECONDS", 0.1), ("_KILLED_SECONDS", 0.1)):
        monkeypatch.setattr(supervising, name, seconds)
    monkeypatch.setattr(supervising, "end_and_forget", forever)
    monkeypatch.setattr(Supervisor, "_begin", lambda *_: None)
    monkeypatch.setattr(supervising, "_END_SECONDS", 0.0)
    it = Supervisor(replace(settings, workers=2), store, home)
    workers = [Deaf(), Deaf()]
    for place, worker in zip(it._places, workers, strict=True):
        place.process = worker
    it.start()
    time.sleep(0.05)
    begun = time.monotonic()
    it.stop()
    assert time.monotonic() - begun < 3
    assert [(worker.heard, worker.dead) for worker in workers] == [(["end"], True)] * 2
    assert it.alive == 0
