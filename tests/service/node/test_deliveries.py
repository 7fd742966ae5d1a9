"""Results go to every peer once, however many servers send; what fails is tried again, and then is dead."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from atypia.service.node import deliveries
from atypia.service.node.settings import Peer
from atypia.service.store import models
from atypia.service.store.models import Delivery, Finding, Job, Study, now

PEER = Peer("pacs", host="pacs", ae_title="PACS", tries=3, first_wait=10)
OTHER = Peer("web", kind="stow", url="https://archive/dicom-web")
FILES = ["thumbnail.webp", "dicom/volume-0001-seg.dcm", "dicom/volume-0001-sr.dcm", "report.html"]


@pytest.fixture
def job(any_store):
    """A study's job with one finding that has results."""
    with any_store.write() as session:
        screener = models.Screener(
            name="quick", sha256="0" * 64, detector="atlas", version="1", rule="quantile", threshold=1.0
        )
        study = Study(key="0" * 64)
        session.add_all([screener, study])
        session.flush()
        made = Job(kind="study", state="done", screener=screener.id, study=study.id)
        session.add(made)
        session.flush()
        files = [{"name": name, "bytes": 10, "media_type": "x/y"} for name in FILES]
        session.add(
            Finding(job=made.id, study=study.id, screener=screener.id, index=0, label="study", kind="volume",
                    verdict="normal", files=files)
        )  # fmt: skip
        session.flush()
        return made


@pytest.fixture
def queued(any_store, job, settings):
    with any_store.write() as session:
        deliveries.enqueue_results(session, job, replace(settings, peers=(PEER,)))
    return any_store


def rows(store):
    with store.session() as session:
        return list(session.scalars(select(Delivery).order_by(Delivery.file, Delivery.peer)))


def claimed(store, owner, limit=10, lease=60.0):
    with store.write() as session:
        return deliveries.claim(session, "pacs", owner, lease, limit)


def test_each_dicom_result_goes_to_each_peer(any_store, job, settings):
    with any_store.write() as session:
        assert deliveries.enqueue_results(session, job, replace(settings, peers=(PEER, OTHER))) == 4
    assert [(row.file[-8:], row.peer) for row in rows(any_store)] == [
        ("-seg.dcm", "pacs"), ("-seg.dcm", "web"), ("1-sr.dcm", "pacs"), ("1-sr.dcm", "web"),
    ]  # fmt: skip
    with any_store.write() as session:
        assert deliveries.enqueue_results(session, job, settings) == 0, "nobody to send to"
        assert deliveries.enqueue_results(session, Job(kind="upload", study=None), settings) == 0


def test_several_senders_have_none_in_common(queued):
    with ThreadPoolExecutor(6) as pool:
        taken = list(pool.map(lambda owner: claimed(queued, f"s{owner}", limit=1), range(6)))
    assert sorted(len(one) for one in taken) == [0, 0, 0, 0, 1, 1]
    assert len({one.id for some in taken for one in some}) == 2
    assert claimed(queued, "late") == []


def test_what_a_dead_sender_held_is_sent_by_another(queued):
    assert len(claimed(queued, "dies", lease=-1)) == 2
    again = claimed(queued, "lives")
    assert [one.attempts for one in again] == [2, 2]
    with queued.write() as session:
        deliveries.sent(session, "dies", again[0].id)  # it was only slow: what it says counts no more
        assert deliveries.renew(session, "dies", [again[0].id], 60) == set()
        assert deliveries.renew(session, "lives", [one.id for one in again], 60) == {one.id for one in again}
    assert {row.state for row in rows(queued)} == {"sending"}
    with queued.write() as session:
        deliveries.sent(session, "lives", again[0].id)
    assert sorted(row.state for row in rows(queued)) == ["sending", "sent"]


def test_what_fails_waits_longer_each_time_and_then_is_dead_until_somebody_retries(queued):
    for attempt in (1, 2, 3):
        (one, *_) = claimed(queued, "s")
        with queued.write() as session:
            deliveries.failed(session, "s", one.id, "The peer is away.", PEER, Random(attempt))
        with queued.write() as session:
            row = session.get(Delivery, one.id)
            assert (row.attempts, row.error) == (attempt, "The peer is away.")
            if attempt < 3:
                waits = (row.due - now()).total_seconds()
                assert 5 * 2 ** (attempt - 1) - 1 < waits <= 10 * 2 ** (attempt - 1)
                row.due = now() - timedelta(days=1)
    assert (row.state, row.ended is not None) == ("dead", True)
    assert one.id not in [each.id for each in claimed(queued, "s")]
    with queued.write() as session:
        assert deliveries.retry(session, one.id).state == "pending"
        assert deliveries.retry(session, "0" * 32) is None
    assert [each.attempts for each in claimed(queued, "s")] == [1]


def test_what_was_sent_is_not_sent_again(queued):
    for one in claimed(queued, "s"):
        with queued.write() as session:
            deliveries.sent(session, "s", one.id)
            assert deliveries.retry(session, one.id).state == "sent"
    assert claimed(queued, "s") == []


def test_what_a_stopped_sender_did_not_try_counts_as_no_try(queued):
    one, other = claimed(queued, "s")
    with queued.write() as session:
        deliveries.give_back(session, "s", one.id)
    (again,) = claimed(queued, "t")
    assert (again.id, again.attempts, other.attempts) == (one.id, 1, 1)


def test_they_go_with_their_finding(queued):
    with queued.write() as session:
        session.delete(session.scalars(select(Finding)).one())
    assert rows(queued) == []


@given(attempts=st.integers(1, 10_000), seed=st.integers(0, 99))
def test_no_wait_is_longer_than_the_longest(attempts, seed):
    waits = deliveries.wait(PEER, attempts, Random(seed))
    assert 5 <= waits <= PEER.longest_wait
