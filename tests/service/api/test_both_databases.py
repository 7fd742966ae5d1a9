"""What the routes ask of the database is the same on SQLite and on PostgreSQL."""

from __future__ import annotations

import csv
import threading
from types import SimpleNamespace

import pytest
from prometheus_client import generate_latest

from atypia.service.api.enqueuing import Wish, enqueue
from atypia.service.api.meters import Meters
from atypia.service.api.problems import Problem
from atypia.service.api.screeners import delete_screener
from atypia.service.settings import Limits
from atypia.service.store import feedback, removal, screeners, thresholds
from atypia.service.store.findings import SORTS, Filter, list_findings
from atypia.service.store.models import File, Finding, Job, Screener

SCORES = [float(score) for score in range(-3, 12)]


@pytest.fixture
def filled(any_store, home, described):
    """A Screener and findings of one job: pictures, a volume, an unfit and an unreadable one."""
    shas = ["a" * 64, "b" * 64]
    for sha256 in shas:
        home.screener(sha256).write_bytes(b"not needed")
    with any_store.write() as session:
        screener = screeners.register(session, shas[0], described, name="quick", size=1)
        threshold = thresholds.threshold_of(screener)
        low, high = threshold.healthy[0], threshold.healthy[-1]
        job = Job(id="1" * 32, kind="upload", state="done", screener=screener.id)
        session.add(job)
        session.flush()
        session.add(File(job=job.id, index=0, kind="picture", sha256="c" * 64, bytes=1, suffix=".png"))
        common = {"job": job.id, "screener": screener.id, "label": "x", "verdict": "normal", "flagged": False}
        rows = [
            Finding(
                **common, index=at, kind="picture", p_value=0.5, plane="axial",
                score=low + score * (high - low) / 8,
                values={"source": {"sha256": "c" * 64, "suffix": ".png"}},
            )
            for at, score in enumerate(SCORES)
        ]  # fmt: skip
        rows.append(
            Finding(
                **common, index=100, kind="volume", score=low, highest=high, values={"slice_findings": []}
            )
        )
        rows.append(Finding(**common | {"verdict": "unfit"}, index=101, kind="picture", score=1e9))
        session.add_all(rows)
    return any_store, screener.id, shas[1]


def test_a_threshold_does_what_was_previewed(filled, home):
    store, screener, sha256 = filled
    with store.write() as session:
        old = session.get_one(Screener, screener)
        threshold = thresholds.with_rule(old, "quantile", 0.5)
        effect = thresholds.effect_of(session, screener, threshold)
        new = thresholds.change(session, home, old, threshold, sha256).id
    with store.session() as session:
        rows = session.query(Finding).filter(Finding.screener == new).all()
        flagged = [row for row in rows if row.verdict == "abnormal"]
        assert len(rows) == len(SCORES) + 2
        assert effect.total == len(SCORES) + 1
        assert effect.flagged_after == effect.newly_count == len(flagged) > 0
        assert set(effect.newly) == {row.id for row in flagged}
        assert all((row.highest or row.score) > threshold.value for row in flagged)
        assert session.get_one(Screener, screener).retired


def test_lists_tables_and_figures(filled, home, tmp_path):
    store, screener, _ = filled
    with store.session() as session:
        for sort in SORTS:
            asked = Filter(verdicts=["normal"], screener=screener, text="AXI", p_min=0.1)
            rows, _, total = list_findings(session, asked, sort, 5, None)
            assert (len(rows), total) == (5, len(SCORES))
    with store.write() as session:
        row = session.query(Finding).filter(Finding.index == 3).one()
        feedback.give(session, row, "healthy", "note", "me")
        feedback.give(session, row, "abnormal", "", "me")
    with store.session() as session:
        assert feedback.write_table(session, home, tmp_path / "feedback.csv") == 1
    (told,) = csv.DictReader((tmp_path / "feedback.csv").read_text().splitlines())
    assert told["label"] == "abnormal"
    assert b'atypia_findings{verdict="normal"} 16.0' in generate_latest(Meters(store).registry)


def test_all_of_a_job_goes(filled, home):
    store, *_ = filled
    upload = home.upload("c" * 64, ".png")
    upload.parent.mkdir()
    upload.write_bytes(b"x")
    with store.write() as session:
        gone = removal.remove_job(session, session.get_one(Job, "1" * 32))
    removal.clear(store, home, gone)
    with store.session() as session:
        assert [session.query(table).count() for table in (Job, File, Finding)] == [0, 0, 0]
    assert not upload.exists()


def test_no_job_loses_its_upload_to_one_that_is_deleted_meanwhile(any_store, home, described):
    with any_store.write() as session:
        screeners.register(session, "a" * 64, described, name="quick", size=1)
    here = SimpleNamespace(store=any_store, home=home, settings=SimpleNamespace(limits=Limits()))
    upload = home.upload("c" * 64, ".png")
    upload.parent.mkdir()
    over, kept = threading.Event(), []

    def remove() -> None:
        while not over.is_set():
            removal.clear(any_store, home, removal.Removed(uploads=[("c" * 64, ".png")]))

    threads = [threading.Thread(target=remove) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(25):
            upload.write_bytes(b"a scan")
            file = File(index=0, kind="picture", sha256="c" * 64, bytes=1, suffix=".png")
            try:
                (job,), _ = enqueue(here, "me", None, Wish(None, (), False), [[file]])
            except Problem as problem:
                kept.append(problem.status == 503)  # told to send it again
                continue
            kept.append(upload.is_file())
            with any_store.write() as session:
                gone = removal.remove_job(session, session.get_one(Job, job.id))
            removal.clear(any_store, home, gone)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert all(kept)


def test_a_screener_that_a_job_was_just_made_of_is_not_deleted(any_store, home, described):
    with any_store.write() as session:
        screener = screeners.register(session, "a" * 64, described, name="quick", size=1).id
        session.add(Job(kind="upload", state="queued", screener=screener))
    home.screener("a" * 64).write_bytes(b"a file")
    with pytest.raises(Problem, match="409"):
        delete_screener(SimpleNamespace(store=any_store, home=home), None, screener)
    assert home.screener("a" * 64).is_file()
