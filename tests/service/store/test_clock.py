"""Servers on one PostgreSQL whose clocks differ by an hour agree on whose turn it is."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from random import Random

import pytest

from atypia.service.node import deliveries, studies
from atypia.service.node.settings import NodeSettings, Peer
from atypia.service.store import clock, models, queue
from atypia.service.store.database import Store
from atypia.service.store.models import Delivery, Job, Study
from tests.service.store.test_queue import add_job, add_screener, claim, expire

HOUR = 3600


@pytest.fixture
def shared(postgres_url, home):
    made = Store(postgres_url, home)
    made.migrate()
    yield made
    made.close()


@contextmanager
def server_ahead(seconds: float):
    """All that is done within is done by a server whose clock is so far ahead."""
    ahead = lambda: models.now() + timedelta(seconds=seconds)  # noqa: E731
    with pytest.MonkeyPatch.context() as patch:
        for module in (clock, queue, deliveries):
            patch.setattr(module, "now", ahead)
        yield


@pytest.mark.parametrize("ahead", [HOUR, -HOUR], ids=["ahead", "behind"])
def test_a_job_is_one_servers_whatever_the_others_clock_says(shared, ahead):
    screener = add_screener(shared, "a")
    with server_ahead(ahead):
        first = add_job(shared, screener)
    assert claim(shared, "right") == [first], "what the other made is due"
    with server_ahead(ahead):
        assert claim(shared, "wrong") == []
        with shared.write() as session:
            queue.sweep(session, tries=1)
            assert queue.heartbeat(session, "right", [first], 60.0) == {first}
    assert claim(shared, "right") == [], "its lease is one of a minute"
    expire(shared, first)
    with server_ahead(ahead):
        assert claim(shared, "wrong") == [first]
    assert claim(shared, "right") == []
    with shared.session() as session:
        left = session.get_one(Job, first).lease_until - clock.moment(session)
    assert timedelta(seconds=30) < left <= timedelta(seconds=60)


@pytest.mark.parametrize("ahead", [HOUR, -HOUR], ids=["ahead", "behind"])
def test_so_is_a_delivery_and_a_study(shared, ahead):
    peer = Peer("archive", host="archive", ae_title="A", tries=3)
    with shared.write() as session:
        due = clock.moment(session)
        session.add_all([Delivery(peer="archive", file="a", due=due), Study(key="0" * 64, last=due)])
    with shared.write() as session:
        (mine,) = deliveries.claim(session, "archive", "right", 60.0, 5)
    with server_ahead(ahead), shared.write() as session:
        assert deliveries.claim(session, "archive", "wrong", 60.0, 5) == []
        deliveries.failed(session, "right", mine.id, "away", peer, Random(1))
        wait = session.get_one(Delivery, mine.id).due - models.now()
        assert timedelta() < wait < timedelta(seconds=2 * peer.first_wait)
        assert studies.complete_due(shared, NodeSettings(quiet_seconds=60.0)) == 0


def test_with_sqlite_the_machine_has_but_one_clock(store):
    with server_ahead(HOUR), store.session() as session:
        assert clock.moment(session) - models.now() > timedelta(minutes=59)
