"""Pages are told of what happens, each thing once and in order, also of what they missed."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import contextmanager
from datetime import timedelta
from threading import Thread

import pytest

from atypia.service.api.events import MISSED, latest_event, read_events
from atypia.service.api.hub import WAITING, Hub, Told
from atypia.service.store import events, queue
from atypia.service.store.models import Finding, Job, now

EVENTS = "/api/v1/events"


def read(text):
    """The events of a stream as (number, kind, data)."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "event" in fields:
            found.append((int(fields.get("id", 0)), fields["event"], json.loads(fields["data"])))
    return found


@contextmanager
def meanwhile(work):
    thread = Thread(target=work)
    thread.start()
    yield
    thread.join()


def emit(store, kind, subject, job=None):
    with store.write() as session:
        events.emit(session, kind, subject, job)


def wait_for_listener(app):
    until = time.monotonic() + 5
    while not app.state.serving.hub.listeners and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(0.05)


@pytest.fixture
def waiting(store, screener):
    row = Job(kind="upload", screener=screener.id, total=1)
    with store.write() as session:
        queue.enqueue(session, row)
    return row.id


def test_a_job_is_followed_to_its_end(app, client, store, screener, waiting):
    def work():
        wait_for_listener(app)
        with store.write() as session:
            queue.claim(session, "me", 60)
        with store.write() as session:
            finding = Finding(
                job=waiting, screener=screener.id, index=0, label="x", kind="picture", verdict="abnormal"
            )
            queue.finish(session, "me", waiting, [finding])

    with meanwhile(work):
        answer = client.get(f"/api/v1/jobs/{waiting}/events")
    told = read(answer.text)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    states = [data["state"] for _, kind, data in told if kind == "job"]
    assert (states[0], states[-1]) == ("queued", "done")
    assert [data["verdict"] for _, kind, data in told if kind == "finding"] == ["abnormal"]
    assert told[-1][2]["findings"]["abnormal"] == 1
    numbers = [number for number, *_ in told if number]
    assert numbers == sorted(set(numbers))
    assert app.state.serving.hub.listeners == 0


def test_an_ended_job_is_told_at_once(client, job, add_finding):
    row = add_finding(p_value=0.25)
    told = read(client.get(f"/api/v1/jobs/{job.id}/events").text)
    assert [(kind, data["id"]) for _, kind, data in told] == [("finding", row.id), ("job", job.id)]
    assert client.get(f"/api/v1/jobs/{'0' * 32}/events").status_code == 404


@pytest.mark.usefixtures("waiting")
def test_all_is_told_from_where_the_page_was(app, client, store):
    start = latest_event(store)
    emit(store, "study", "a" * 32)
    emit(store, "screener", "b" * 32)

    def work():
        wait_for_listener(app)
        emit(store, "delivery", "c" * 32)
        emit(store, "job", "d" * 32, "d" * 32)
        time.sleep(0.8)
        app.state.serving.hub.stop()

    with meanwhile(work):
        answer = client.get(EVENTS, headers={"Last-Event-ID": str(start)})
    told = read(answer.text)
    assert [kind for _, kind, _ in told] == ["study", "screener", "delivery", "job"]
    assert [number for number, *_ in told] == list(range(start + 1, start + 5))
    assert told[-1][2] == {"id": "d" * 32, "job": "d" * 32, "deleted": True}
    assert client.get(EVENTS).status_code == 503  # this server is stopping


@pytest.mark.parametrize("last", [0, 10**6])
@pytest.mark.usefixtures("waiting")
def test_what_is_forgotten_asks_pages_to_load_anew(app, client, store, last):
    for _ in range(3):
        emit(store, "study", "a" * 32)
    with store.write() as session:
        events.forget(session, now() + timedelta(hours=1))

    def work():
        wait_for_listener(app)
        time.sleep(0.3)
        app.state.serving.hub.stop()

    with meanwhile(work):
        answer = client.get(EVENTS, params={"since": last})
    assert [kind for _, kind, _ in read(answer.text)] == ["reset"]


def test_events_hold_no_more_than_rows_show(any_store):
    emit(any_store, "finding", "e" * 32, "f" * 32)
    (told,) = read_events(any_store, 0)
    assert json.loads(told.data) == {"id": "e" * 32, "job": "f" * 32, "deleted": True}
    assert not told.ends
    assert MISSED < 10_000


def test_the_table_is_read_only_while_somebody_listens():
    reads = []

    def after(last):
        reads.append(last)
        return [Told(last + 1, "job", "a", None, "{}")] if last < 3 else []

    async def listen():
        hub = Hub(after, lambda: 0, every_s=0.005)
        listener = await hub.join()
        found = [(await listener.queue.get()).number for _ in range(3)]
        hub.leave(listener)
        await asyncio.sleep(0.05)
        count = len(reads)
        await asyncio.sleep(0.05)
        assert len(reads) == count
        again = await hub.join()
        await asyncio.sleep(0.03)
        assert len(reads) > count
        hub.stop()
        await asyncio.sleep(0.03)
        while not again.queue.empty():
            last = again.queue.get_nowait()
        assert last is None
        return found

    assert asyncio.run(listen()) == [1, 2, 3]


def test_a_listener_that_is_too_slow_is_sent_away():
    async def listen():
        hub = Hub(
            lambda last: [Told(last + 1 + at, "job", "a", None, "{}") for at in range(500)], lambda: 0, 0.001
        )
        slow = await hub.join()
        until = time.monotonic() + 5
        while hub.listeners and time.monotonic() < until:
            await asyncio.sleep(0.005)
        hub.stop()
        assert hub.listeners == 0
        return slow.queue.qsize()

    assert asyncio.run(listen()) == WAITING + 1


def test_many_listeners_cost_one_reader():
    reads = []

    async def listen():
        hub = Hub(lambda last: reads.append(last) or [], lambda: 0, 0.01)
        for _ in range(50):
            await hub.join()
        await asyncio.sleep(0.1)
        hub.stop()
        await asyncio.sleep(0.03)

    asyncio.run(listen())
    assert 1 <= len(reads) <= 12
