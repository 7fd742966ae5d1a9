from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from atypia.service.home import Home
from atypia.service.store import events, queue
from atypia.service.store.database import Store
from atypia.service.store.models import Event, File, Finding, Job, Screener, now


@pytest.fixture
def screener_id(any_store: Store) -> str:
    return add_screener(any_store, "a")


def add_screener(store: Store, letter: str) -> str:
    row = Screener(
        name=letter, sha256=letter * 64, detector="atlas", version="1", rule="quantile", threshold=1.0
    )
    with store.write() as session:
        session.add(row)
    return row.id


def add_job(store: Store, screener: str, pictures: int = 1, **values: object) -> str:
    kind = "picture" if pictures else "nifti"
    files = [File(index=i, kind=kind, sha256="0" * 64, bytes=1) for i in range(pictures or 1)]
    with store.write() as session:
        return queue.enqueue(session, Job(kind="upload", screener=screener, files=files, **values)).id


def claim(store: Store, owner: str, lease: float = 60.0, **options: int) -> list[str]:
    with store.write() as session:
        return [job.id for job in queue.claim(session, owner, lease, **options)]


def state(store: Store, job: str) -> str:
    with store.session() as session:
        return session.get_one(Job, job).state


def expire(store: Store, job: str) -> None:
    with store.write() as session:
        session.get_one(Job, job).lease_until = now() - timedelta(seconds=1)


def found(job: str, screener: str, index: int = 0) -> Finding:
    return Finding(job=job, screener=screener, index=index, label="a", kind="picture", verdict="normal")


def test_small_jobs_of_one_screener_come_together_and_others_alone(any_store, screener_id):
    other = add_screener(any_store, "b")
    small = [add_job(any_store, screener_id) for _ in range(3)]
    large = add_job(any_store, screener_id, pictures=0)
    of_other = add_job(any_store, other)
    differently = add_job(any_store, screener_id, options={"judge_all": True})
    assert claim(any_store, "me") == small
    assert claim(any_store, "me") == [large]
    assert claim(any_store, "me") == [of_other]
    assert claim(any_store, "me") == [differently]
    assert claim(any_store, "me") == []


def test_no_more_pictures_come_together_than_asked_for(any_store, screener_id):
    jobs = [add_job(any_store, screener_id, pictures=count) for count in (3, 3, 1, 1, 1)]
    assert claim(any_store, "me", limit=5) == [jobs[0], jobs[2], jobs[3]]
    assert claim(any_store, "me", limit=5) == [jobs[1], jobs[4]]


def test_a_job_larger_than_the_limit_still_comes(any_store, screener_id):
    job = add_job(any_store, screener_id, pictures=40)
    assert claim(any_store, "me", limit=16) == [job]


def test_the_first_come_is_the_first_served_but_for_priority(any_store, screener_id):
    jobs = [add_job(any_store, screener_id, pictures=0, priority=p) for p in (0, 0, 5)]
    assert [claim(any_store, "me")[0] for _ in range(3)] == [jobs[2], jobs[0], jobs[1]]


def test_what_is_not_due_or_still_comes_in_waits(any_store, screener_id):
    add_job(any_store, screener_id, due=now() + timedelta(hours=1))
    job = add_job(any_store, screener_id, state="receiving")
    assert claim(any_store, "me") == []
    with any_store.write() as session:
        queue.received(session, session.get_one(Job, job))
    assert claim(any_store, "me") == [job]


def test_a_job_ends_once_even_where_two_have_judged_it(any_store, screener_id):
    job = add_job(any_store, screener_id)
    assert claim(any_store, "slow") == [job]
    expire(any_store, job)
    assert claim(any_store, "quick") == [job]
    with any_store.write() as session:
        queue.finish(session, "quick", job, [found(job, screener_id)])
    with pytest.raises(queue.Lost), any_store.write() as session:
        queue.finish(session, "slow", job, [found(job, screener_id)])
    with any_store.session() as session:
        assert session.scalar(select(func.count()).select_from(Finding)) == 1
        ended = session.get_one(Job, job)
        assert (ended.state, ended.attempts, ended.owner, ended.done) == ("done", 2, None, 1)
        assert ended.counts == {"normal": 1, "abnormal": 0, "unfit": 0, "unreadable": 0}


def test_heartbeats_keep_jobs_and_tell_which_are_lost(any_store, screener_id):
    kept, cancelled = (add_job(any_store, screener_id) for _ in range(2))
    assert set(claim(any_store, "me", lease=0.0)) == {kept, cancelled}
    with any_store.write() as session:
        assert queue.cancel(session, cancelled)
        assert queue.heartbeat(session, "me", [kept, cancelled], 60) == {kept}
        assert queue.heartbeat(session, "other", [kept], 60) == set()
    assert claim(any_store, "other") == []


def test_what_was_tried_too_often_fails_with_the_reason(any_store, screener_id):
    job = add_job(any_store, screener_id)
    for _ in range(3):
        assert claim(any_store, "me", tries=3) == [job]
        expire(any_store, job)
    assert claim(any_store, "me", tries=3) == []
    with any_store.write() as session:
        assert queue.sweep(session, tries=3) == [job]
        assert queue.sweep(session, tries=3) == []
    with any_store.session() as session:
        failed = session.get_one(Job, job)
        assert failed.state == "failed"
        assert "3 times" in (failed.error or "")


def test_what_was_tried_before_comes_alone(any_store, screener_id):
    job = add_job(any_store, screener_id)
    assert claim(any_store, "me") == [job]
    later = add_job(any_store, screener_id)
    expire(any_store, job)
    assert claim(any_store, "me") == [job]
    assert claim(any_store, "me") == [later]


def test_jobs_given_back_are_tried_anew_and_do_not_count(any_store, screener_id):
    job = add_job(any_store, screener_id)
    for _ in range(5):
        assert claim(any_store, "me") == [job]
        with any_store.write() as session:
            queue.release(session, "me", [job])
    with any_store.session() as session:
        assert session.get_one(Job, job).attempts == 0


def test_all_of_one_who_ends_are_given_back_and_no_others(any_store, screener_id):
    first = add_job(any_store, screener_id)
    assert claim(any_store, "me") == [first]
    second = add_job(any_store, screener_id)
    assert claim(any_store, "other") == [second]
    with any_store.write() as session:
        queue.give_back(session, "me")
    with any_store.session() as session:
        states = {job: session.get_one(Job, job).state for job in (first, second)}
        assert states == {first: "queued", second: "running"}
        assert [session.get_one(Job, job).attempts for job in (first, second)] == [0, 1]


def test_the_jobs_of_the_dead_are_free_at_once(any_store, screener_id):
    job = add_job(any_store, screener_id)
    assert claim(any_store, "dead") == [job]
    with any_store.write() as session:
        queue.abandoned(session, "dead")
    assert claim(any_store, "alive") == [job]


def test_what_has_ended_is_not_cancelled(any_store, screener_id):
    job = add_job(any_store, screener_id)
    assert claim(any_store, "me") == [job]
    with any_store.write() as session:
        queue.fail(session, "me", job, "no scan")
        assert not queue.cancel(session, job)
        assert not queue.cancel(session, "nobody")
    assert state(any_store, job) == "failed"


def test_many_claimers_at_once_share_the_jobs_and_none_comes_twice(any_store, screener_id, home: Home):
    jobs = {add_job(any_store, screener_id) for _ in range(60)}
    others = [Store(any_store.url, home) for _ in range(4)]

    def work(number: int) -> list[str]:
        taken: list[str] = []
        while some := claim(others[number], f"worker {number}", limit=3):
            taken += some
        return taken

    with ThreadPoolExecutor(4) as pool:
        shares = list(pool.map(work, range(4)))
    for other in others:
        other.close()
    assert sorted(job for share in shares for job in share) == sorted(jobs)


def test_events_come_in_order_and_only_with_the_transaction(any_store, screener_id):
    job = add_job(any_store, screener_id)

    def breaks() -> None:
        with any_store.write() as session:
            events.emit(session, "job", "lost")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        breaks()
    claim(any_store, "me")
    with any_store.write() as session:
        queue.finish(session, "me", job, [found(job, screener_id)])
    with any_store.session() as session:
        told = events.after(session, 0)
        assert [event.kind for event in told] == ["job", "job", "finding", "job"]
        assert [event.id for event in told] == sorted({event.id for event in told})
        assert [event.id for event in events.after(session, told[1].id, job=job)] == [
            told[2].id,
            told[3].id,
        ]
    with any_store.write() as session:
        assert events.forget(session, now()) == 3
        assert events.latest(session) == told[-1].id
        assert session.scalar(select(func.count()).select_from(Event)) == 1
