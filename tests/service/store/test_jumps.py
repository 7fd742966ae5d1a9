"""A clock that is set while the service runs: nothing waits for ever or is forgotten by a wrong date."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta

import pytest

from atypia.service.forgetting import forget_old
from atypia.service.node import studies
from atypia.service.node.settings import NodeSettings
from atypia.service.store import clock, jumps, queue
from atypia.service.store.models import Delivery, Finding, Job, Study, now
from atypia.service.work.order import clear_away, end_and_forget

DAY = 86_400.0


@pytest.fixture
def set_clock(store, monkeypatch):
    """Set the clock so many seconds forward, or back, while the service runs."""
    with store.session() as session:
        jumps.is_believed(session)  # as at the start
    real = clock.now
    return lambda seconds: monkeypatch.setattr(clock, "now", lambda: real() + timedelta(seconds=seconds))


def test_a_clock_is_not_believed_for_a_day_after_a_jump():
    at = [0.0]
    watch = jumps.Watch(1e9, steady=lambda: at[0])

    def believes(moment, ahead):
        at[0] = moment
        return watch.believes(1e9 + moment + ahead)

    assert believes(5 * DAY, 0)
    assert believes(5 * DAY + 1, 200)  # as by a server of time
    assert not believes(6 * DAY, 400 * DAY)
    assert not believes(6.9 * DAY, 400 * DAY)
    assert believes(6.95 * DAY, 10), "it was put right"
    assert not believes(7 * DAY, -3600)
    assert not believes(7.9 * DAY, -3600)
    assert believes(8.1 * DAY, -3600), "it is as it was set"
    assert believes(50 * DAY, -3600)


def test_what_waits_for_a_clock_that_was_ahead_waits_no_longer(settings, store, screener, set_clock):
    ahead = now() + timedelta(days=365)
    with store.write() as session:
        jobs = [queue.enqueue(session, Job(kind="upload", screener=screener.id, label="a")) for _ in range(2)]
        session.flush()
        jobs[0].due = ahead
        jobs[1].state, jobs[1].owner, jobs[1].lease_until = "running", "dead", ahead
        study = Study(key="0" * 64, state=studies.RECEIVING, last=ahead)
        told = {"screener": screener.id, "label": "a", "kind": "picture", "verdict": "normal"}
        finding = Finding(job=jobs[0].id, index=0, **told)
        session.add_all([study, finding])
        session.flush()
        sent = {"job": jobs[0].id, "study": study.id, "finding": finding.id}
        session.add(Delivery(due=ahead, peer="archive", file="a", **sent))
    with store.write() as session:
        assert queue.claim(session, "one", 60.0) == []
    end_and_forget(settings, store)
    with store.write() as session:
        assert [job.id for job in queue.claim(session, "one", 900.0)] == [jobs[0].id]
        assert session.get_one(Study, study.id).last <= now()
        assert session.query(Delivery).one().due <= now()
    set_clock(settings.lease_seconds + 1)
    with store.write() as session:
        assert [job.id for job in queue.claim(session, "two", 60.0)] == [jobs[1].id], "its worker is dead"


def test_what_a_clock_makes_old_by_a_jump_is_not_forgotten(settings, store, home, screener, set_clock):
    kept = NodeSettings(keep_days=30)
    with store.write() as session:
        job = queue.enqueue(session, Job(kind="upload", screener=screener.id, label="a"))
        job.state, job.ended = "done", now()
        session.add(Study(key="0" * 64, state=studies.COMPLETE, last=now()))
    (home.tmp / "coming in").write_bytes(b"half")
    os.utime(home.tmp / "coming in", (9, 9))
    set_clock(400 * DAY)
    settings = replace(settings, keep_days=30.0, events_days=1.0)
    end_and_forget(settings, store)
    assert not forget_old(settings, store, home).jobs
    assert studies.forget_old(store, home, kept) == 0
    clear_away(settings, store, home)
    with store.session() as session:
        assert session.query(Job).count() == session.query(Study).count() == 1
    assert [path.name for path in home.tmp.iterdir()] == ["coming in"]
    set_clock(0)  # it is right again; had it never been wrong, a month later:
    assert studies.forget_old(store, home, kept, now() + timedelta(days=31)) == 1
