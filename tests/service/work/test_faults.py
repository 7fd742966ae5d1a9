"""Faults of the machine while a job is judged; more of them in tests/service/test_bad_input.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from atypia.detectors import Atlas
from atypia.service.store import queue
from atypia.service.work.order import end_and_forget


def test_want_of_memory_fails_the_job_with_what_to_do_and_the_next_is_judged(desk, head_png, monkeypatch):
    def without(*_):
        raise MemoryError

    job = desk.send(head_png())
    with monkeypatch.context() as patch:
        patch.setattr(Atlas, "score", without)
        desk.worker().drain()
    assert desk.job(job).state == "failed"
    assert "too little memory" in desk.job(job).error
    assert "Send fewer, or smaller ones" in desk.job(job).error
    assert (desk.findings(job), desk.folders(), list(desk.home.tmp.iterdir())) == ([], set(), [])
    assert len(desk.judged(desk.send(head_png()))) == 1


def test_a_job_that_kills_its_worker_each_time_fails_and_takes_no_other_with_it(desk, head_png):
    """As where the system ends a process that takes too much memory."""
    settings = replace(desk.settings, tries=2)
    deadly = desk.send(head_png())
    for number in range(settings.tries):
        with desk.store.write() as session:
            (job,) = queue.claim(session, f"dead-{number}", 60.0, tries=settings.tries)
            assert job.id == deadly
        with desk.store.write() as session:
            queue.abandoned(session, f"dead-{number}")
    other = desk.send(head_png(1))
    desk.worker(tries=2).drain()
    end_and_forget(settings, desk.store)
    assert desk.job(other).state == "done"
    assert desk.job(deadly).state == "failed"
    assert "may be too large for the memory" in desk.job(deadly).error


@pytest.mark.parametrize("place", ["gone", "file"])
def test_judging_needs_no_cache(place, desk, head_png, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("ATYPIA_CACHE", str(tmp_path / place))
    assert len(desk.judged(desk.send(head_png()))) == 1
    assert not (tmp_path / "gone").exists()


def test_an_upload_that_was_damaged_on_the_disk_costs_its_row(desk, head_png):
    job = desk.send(head_png(), head_png(1))
    first = next(path for path in desk.home.uploads.rglob("*.png"))
    first.write_bytes(first.read_bytes()[:100])
    verdicts = sorted(finding.verdict for finding in desk.judged(job))
    assert verdicts[-1] == "unreadable"
    assert "unreadable" not in verdicts[:-1]


def test_a_finding_that_cannot_be_put_in_its_place_costs_its_job_alone(desk, head_png, monkeypatch):
    first, second, third = (desk.send(head_png(seed), head_png(seed + 5)) for seed in range(3))
    rename, tried = Path.rename, []

    def renamed(self, target):
        if self.parent.name == "findings" and self.parent.parent.parent == desk.home.tmp:
            tried.append(self)
            if len(tried) == 4:  # the last of the second job
                raise PermissionError("not here")
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", renamed)
        desk.worker().drain()
    assert len(tried) == 6
    assert [desk.job(job).state for job in (first, second, third)] == ["done", "failed", "done"]
    assert [desk.job(job).attempts for job in (first, second, third)] == [1, 1, 1]
    assert desk.folders() == {one.id for job in (first, third) for one in desk.findings(job)}
