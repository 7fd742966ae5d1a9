from __future__ import annotations

import os
import time
from dataclasses import replace
from datetime import timedelta

from atypia.service.store import events
from atypia.service.store.models import Job, now
from atypia.service.work.order import clear_away, end_and_forget


def aged(path):
    past = time.time() - 7200
    os.utime(path, (past, past))
    return path


def test_files_that_no_row_names_go_when_they_are_old(desk, head_png):
    (finding,) = desk.judged(desk.send(head_png()))
    home = desk.home
    upload = next(path for path in home.uploads.rglob("*.png"))
    for path in (upload, home.findings(finding.id), home.screener(desk.screener.sha256)):
        aged(path)
    orphans = [home.uploads / "00" / f"{'0' * 64}.png", home.findings("f" * 32), home.screener("1" * 64)]
    for path in orphans:
        path.parent.mkdir(exist_ok=True)
        path.mkdir() if path.suffix == "" else path.write_bytes(b"x")
    clear_away(desk.settings, desk.store, home)
    assert all(path.exists() for path in orphans)
    for path in orphans:
        aged(path)
    clear_away(desk.settings, desk.store, home)
    assert not any(path.exists() for path in orphans)
    assert upload.exists()
    assert home.findings(finding.id).is_dir()
    assert home.screener(desk.screener.sha256).exists()


def test_what_an_ended_server_left_unfinished_goes_at_the_next_start(desk):
    (desk.home.tmp / "half").mkdir()
    (desk.home.tmp / "half" / "file").write_bytes(b"x")
    clear_away(desk.settings, desk.store, desk.home)
    assert list(desk.home.tmp.iterdir()) != []
    clear_away(desk.settings, desk.store, desk.home, old=0.0)
    assert list(desk.home.tmp.iterdir()) == []


def test_uploads_go_with_their_jobs_where_that_is_asked_for(desk, head_png):
    ended, waiting = desk.send(head_png(1)), None
    desk.worker().drain()
    waiting = desk.send(head_png(2))
    clear_away(replace(desk.settings, keep_uploads=False), desk.store, desk.home)
    assert len(list(desk.home.uploads.rglob("*.png"))) == 1
    desk.worker().drain()
    assert [desk.job(job).state for job in (ended, waiting)] == ["done", "done"]


def test_jobs_without_tries_left_fail_and_old_events_are_forgotten(desk, head_png):
    job = desk.send(head_png())
    with desk.store.write() as session:
        row = session.get_one(Job, job)
        row.state, row.attempts, row.lease_until = "running", 3, now() - timedelta(seconds=1)
    end_and_forget(replace(desk.settings, events_days=1e-9), desk.store)
    assert desk.job(job).state == "failed"
    with desk.store.session() as session:
        assert len(events.after(session, 0)) == 2  # the last one, and the one that it failed
