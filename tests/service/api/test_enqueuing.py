"""Requests that come at once are taken in one transaction, and none is told of another."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.exc import OperationalError

from atypia.service.api.enqueuing import Request, Wish, enqueue_all
from atypia.service.api.problems import Problem
from atypia.service.settings import Limits
from atypia.service.store import screeners
from atypia.service.store.models import File, Job

USUAL = Wish(None, (), False)


@pytest.fixture
def here(any_store, home, described):
    with any_store.write() as session:
        screeners.register(session, "a" * 64, described, name="quick", size=1)
    return SimpleNamespace(store=any_store, home=home, settings=SimpleNamespace(limits=Limits(queued_jobs=4)))


@pytest.fixture
def upload(home):
    def make(letter: str) -> list[list[File]]:
        path = home.upload(letter * 64, ".png")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"a scan")
        return [[File(index=0, kind="picture", sha256=letter * 64, bytes=6, suffix=".png")]]

    return make


def count(here) -> int:
    with here.store.session() as session:
        return session.scalar(select(func.count()).select_from(Job))


def commits(here) -> list[int]:
    made: list[int] = []
    event.listen(here.store._engine, "commit", lambda _connection: made.append(1))
    return made


def test_those_that_come_at_once_take_one_transaction(here, upload):
    made = commits(here)
    done = enqueue_all(here, [Request("me", None, USUAL, upload(letter)) for letter in "bcd"])
    assert len(made) == 1
    assert [(len(jobs), fresh, jobs[0].state) for jobs, fresh in done] == [(1, True, "queued")] * 3
    with here.store.session() as session:
        for (jobs, _), letter in zip(done, "bcd", strict=True):
            row = session.get_one(Job, jobs[0].id)
            assert [file.sha256 for file in row.files] == [letter * 64]
            assert row.weight == 1


def test_one_that_is_refused_costs_no_other(here, upload):
    gone = [[File(index=0, kind="picture", sha256="f" * 64, bytes=6, suffix=".png")]]
    wrong = Wish("0" * 32, (), False)
    wants = [(USUAL, upload("b")), (wrong, upload("c")), (USUAL, gone), (USUAL, upload("d"))]
    done = enqueue_all(here, [Request("me", None, wish, what) for wish, what in wants])
    assert [one.status if isinstance(one, Problem) else one[1] for one in done] == [True, 422, 503, True]
    assert count(here) == 2


def test_the_queue_takes_no_more_than_it_has_room_for(here, upload):
    done = enqueue_all(here, [Request("me", None, USUAL, upload(letter)) for letter in "bcdef"])
    assert [isinstance(one, Problem) for one in done] == [False] * 4 + [True]
    assert done[-1].status == 503
    assert count(here) == 4


def test_two_with_one_key_that_come_at_once_make_one_job(here, upload):
    same = upload("b")
    done = enqueue_all(here, [Request("me", "key", USUAL, same), Request("me", "key", USUAL, upload("b"))])
    assert [fresh for _, fresh in done] == [True, False]
    assert done[0][0][0].id == done[1][0][0].id
    other = enqueue_all(here, [Request("me", "key", USUAL, upload("c")), Request("me", None, USUAL, same)])
    assert other[0].status == 422
    assert other[1][1]
    assert count(here) == 2


def test_where_they_cannot_be_taken_together_each_is_taken_by_itself(here, upload, monkeypatch):
    from sqlalchemy.exc import IntegrityError

    from atypia.service.api import enqueuing

    whole = enqueuing._shown

    def shown(made):
        if len(commits_so_far) < 2:
            commits_so_far.append(1)
            raise IntegrityError("", None, Exception())
        return whole(made)

    commits_so_far = [1]
    monkeypatch.setattr(enqueuing, "_shown", shown)
    done = enqueue_all(here, [Request("me", None, USUAL, upload(letter)) for letter in "bc"])
    assert [fresh for _, fresh in done] == [True, True]
    with here.store.session() as session:
        rows = {row.files[0].sha256 for row in session.scalars(select(Job))}
    assert rows == {"b" * 64, "c" * 64}


def test_a_database_that_fails_is_asked_once_and_not_for_each(here, upload):
    asked = []

    def fail(*_given):
        asked.append(1)
        raise OperationalError("BEGIN", {}, Exception("database is locked"))

    here.store.write = fail
    with pytest.raises(OperationalError):
        enqueue_all(here, [Request("me", None, USUAL, upload(letter)) for letter in "bcd"])
    assert len(asked) == 1
