from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from atypia.service.store.models import Finding, Job
from atypia.service.work.supervisor import Supervisor, threads_of, workers_of


def until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for something that must come."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)


def ended(desk) -> int:
    with desk.store.session() as session:
        return session.scalar(select(func.count()).select_from(Job).where(Job.state == "done"))


def test_processors_are_shared_among_workers(settings, monkeypatch):
    from atypia.service.work import supervisor

    monkeypatch.setattr(supervisor, "usable", lambda: 16)
    alone = replace(settings, workers=None, threads=None)
    assert (workers_of(alone), threads_of(alone)) == (1, 16)
    assert workers_of(replace(alone, threads=4)) == 4
    assert threads_of(replace(alone, workers=3)) == 5
    assert (workers_of(replace(alone, threads=99)), threads_of(replace(alone, workers=99))) == (1, 1)


@pytest.mark.slow
def test_workers_that_are_killed_are_started_again_and_every_job_ends_once(desk, head_png):
    jobs = [desk.send(*(head_png(40 * number + seed) for seed in range(40))) for number in range(12)]
    supervisor = Supervisor(replace(desk.settings, workers=1, lease_seconds=30.0), desk.store, desk.home)
    supervisor.start()
    try:
        for count in (1, 5):  # at some moment of a job in the middle
            until(lambda count=count: ended(desk) >= count)
            os.kill(supervisor.pids[0], signal.SIGKILL)
            until(lambda: supervisor.alive == 0)
        until(lambda: ended(desk) == len(jobs))
    finally:
        supervisor.stop()
    assert supervisor.alive == 0
    assert [desk.job(job).state for job in jobs] == ["done"] * len(jobs)
    assert all(len(desk.findings(job)) == 40 for job in jobs)
    with desk.store.session() as session:
        assert session.scalar(select(func.count()).select_from(Finding)) == 40 * len(jobs)
    assert max(desk.job(job).attempts for job in jobs) <= 2


@pytest.mark.slow
def test_a_worker_that_is_killed_while_it_waits_holds_nobody_up(desk, head_png):
    supervisor = Supervisor(replace(desk.settings, workers=1), desk.store, desk.home)
    supervisor.start()
    try:
        desk.send(head_png())
        until(lambda: ended(desk) == 1)
        time.sleep(0.1)  # it waits for more
        os.kill(supervisor.pids[0], signal.SIGKILL)
        telling = threading.Thread(target=supervisor.wake, daemon=True)
        telling.start()
        telling.join(5.0)
        assert not telling.is_alive()
        desk.send(head_png(1))
        supervisor.wake()
        until(lambda: ended(desk) == 2)
    finally:
        supervisor.stop()
