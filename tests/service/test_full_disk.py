"""A disk that is full: one can still look and delete; what could not be judged is, when there is room."""

from __future__ import annotations

import errno
from contextlib import suppress
from dataclasses import replace

import pytest
from sqlalchemy import select, update

from atypia.service.api.app import create_app
from atypia.service.home import Home
from atypia.service.store import queue, screeners
from atypia.service.store.database import Store
from atypia.service.store.models import Audit, Finding, Job, now
from atypia.service.work import worker as working
from atypia.service.work.worker import Worker
from tests.service.api.conftest import BASE, TestClient

KIB = 1024
RESERVE = 512 * KIB


@pytest.fixture
def place(small_disk, settings, screener_file, described):
    """A data folder on a disk of its own, with room kept aside, its settings and its database."""
    home = Home(small_disk / "data")
    home.make()
    limits = replace(settings.limits, free_bytes=KIB, work_bytes=KIB, reserve_bytes=RESERVE)
    settings = replace(settings, data=home.path, limits=limits)
    store = Store(None, home)
    store.migrate()
    sha256 = screeners.keep(home, screener_file)
    with store.write() as session:
        screeners.register(session, sha256, described, name="quick", size=1)
    yield settings, store, home
    store.close()


@pytest.fixture
def client(place):
    settings, store, home = place
    with TestClient(create_app(settings, store, home, lambda: None), base_url=BASE) as made:
        yield made


def fill(home: Home) -> None:
    """Leave not a byte."""
    with (home.path.parent / "filler").open("ab", buffering=0) as file:
        for size in (2**20, 4 * KIB, 1):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))
    assert home.free_bytes() == 0


def test_one_can_look_and_delete(place, client, head_png):
    settings, store, home = place
    sent = [
        client.post("/api/v1/jobs", files={"files": ("a.png", head_png(n))}).json()["id"] for n in range(2)
    ]
    Worker(settings, store, home).drain()
    assert home.set_aside(RESERVE)
    fill(home)
    for finding in client.get("/api/v1/findings").json()["items"]:
        opened = client.get(f"/api/v1/findings/{finding['id']}")
        assert opened.status_code == 200, opened.text
        assert client.get(opened.json()["files"][0]["url"]).status_code == 200
    assert not home.reserve.exists()
    assert client.delete(f"/api/v1/jobs/{sent[0]}").status_code == 204
    assert client.get("/api/v1/findings").json()["total"] == 1
    with store.session() as session:
        assert {"finding.open", "job.delete"} <= set(session.scalars(select(Audit.action)))
    assert not list(home.trash.iterdir())
    (home.path.parent / "filler").unlink()
    assert home.set_aside(RESERVE)
    assert home.reserve.stat().st_blocks * 512 >= RESERVE


def test_jobs_wait_until_there_is_room(place, client, head_png):
    settings, store, home = place
    job = client.post("/api/v1/jobs", files={"files": ("a.png", head_png())}).json()["id"]
    home.set_aside(RESERVE)
    settings = replace(settings, limits=replace(settings.limits, work_bytes=2 * RESERVE))
    worker = Worker(settings, store, home)
    fill(home)
    assert worker.drain() == 0
    assert client.get(f"/api/v1/jobs/{job}").json()["attempts"] == 0
    assert client.post("/api/v1/jobs", files={"files": ("a.png", head_png())}).status_code == 507
    (home.path.parent / "filler").unlink()
    assert worker.drain() == 1
    assert client.get(f"/api/v1/jobs/{job}").json()["state"] == "done"


def test_a_job_that_met_a_full_disk_is_tried_again(place, client, head_png, monkeypatch):
    settings, store, home = place
    job = client.post("/api/v1/jobs", files={"files": ("a.png", head_png())}).json()["id"]
    where = f"/api/v1/jobs/{job}"

    def full(_places):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(working, "settle", full)
        for attempts in (1, 2):
            Worker(settings, store, home).drain()
            told = client.get(where).json()
            assert (told["state"], told["attempts"]) == ("queued", attempts)
            assert "judged again when there is room" in told["error"]
            assert Worker(settings, store, home).drain() == 0, "not at once"
            with store.write() as session:
                session.execute(update(Job).values(due=now()))
        assert client.post(f"{where}/retry").status_code == 409, "it waits"
        Worker(settings, store, home).drain()
        assert client.get(where).json()["state"] == "failed"
    assert client.post(f"{where}/retry").json()["state"] == "queued"
    Worker(settings, store, home).drain()
    told = client.get(where).json()
    assert (told["state"], told["error"], told["done"]) == ("done", None, 1)
    assert client.post(f"/api/v1/jobs/{'0' * 32}/retry").status_code == 404
    with store.session() as session:
        assert len(list(home.all_findings.iterdir())) == len(session.scalars(select(Finding)).all()) == 1


def test_what_could_not_be_given_back_is_later(place, client, head_png, monkeypatch):
    settings, store, home = place
    job = client.post("/api/v1/jobs", files={"files": ("a.png", head_png())}).json()["id"]
    worker = Worker(settings, store, home)

    def full(*_given):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(working, "settle", full)
        patch.setattr(queue, "put_off", full)
        with pytest.raises(OSError, match="No space"):
            worker.drain()
    assert client.get(f"/api/v1/jobs/{job}").json()["state"] == "running"
    assert worker.drain() == 1
    assert client.get(f"/api/v1/jobs/{job}").json()["state"] == "done"


def test_an_upload_that_is_gone_is_not_tried_again(place, client, head_png):
    _, store, home = place
    job = client.post("/api/v1/jobs", files={"files": ("a.png", head_png())}).json()["id"]
    for path in home.uploads.rglob("*.png"):
        path.unlink()
    with store.write() as session:
        session.execute(update(Job).values(state="failed"))
    assert client.post(f"/api/v1/jobs/{job}/retry").status_code == 409
    assert client.get(f"/api/v1/jobs/{job}").json()["state"] == "failed"
