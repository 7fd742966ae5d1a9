"""What is forgotten is gone: from the database and its log, from every file, and from what pages are told."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from atypia.cli.main import commands
from atypia.destination import held
from atypia.service import forgetting
from atypia.service.forgetting import Amount, Chosen
from atypia.service.home import Home
from atypia.service.intake import accept, job_of_study
from atypia.service.node.instance import examine
from atypia.service.node.recording import Recorder
from atypia.service.settings import Settings
from atypia.service.store import events, queue, screeners
from atypia.service.store.database import Store
from atypia.service.store.models import Audit, Delivery, Event, Feedback, File, Finding, Job, Study, now
from atypia.service.work.worker import Worker
from tests.service.test_planted import NAME, STUDY, has_planted, instance, picture

WHERE = "/somewhere/Zebrowski"


@pytest.fixture
def settings(settings):
    return replace(settings, keep_names=True)


@pytest.fixture(scope="module")
def judged(tmp_path_factory, screener_file, described, draw_heads) -> tuple[Path, str]:
    """A data folder with a study that was judged, with results, feedback, a delivery and files of it."""
    home = Home(tmp_path_factory.mktemp("judged") / "data")
    home.make()
    settings = Settings(data=home.path, workers=1, threads=1, keep_names=True)
    store = Store(None, home)
    store.migrate()
    sha256 = screeners.keep(home, screener_file)
    with store.write() as session:
        screeners.register(session, sha256, described, name="quick", size=screener_file.stat().st_size)
    recorder, heads = Recorder(store, home, settings.node), draw_heads(5, size=32)[0]
    received = []
    for index, head in enumerate(heads):
        path = home.fresh()
        path.write_bytes(instance(head, index))
        received.append(examine(path))
    assert all(one.taken for one in recorder.record(received, "SCANNER", "stow"))
    recorder.stop()
    with store.write() as session:
        row = session.scalars(select(Study)).one()
        job = job_of_study(session, row, results=("sr", "sc"))
    Worker(settings, store, home).drain()
    with store.write() as session:
        finding = session.scalars(select(Finding).where(Finding.job == job.id)).one()
        session.add(Feedback(finding=finding.id, label="healthy", note=NAME, by="Zebrowski"))
        told = {"job": job.id, "finding": finding.id, "study": row.id, "file": "dicom/seg.dcm"}
        session.add(Delivery(peer="Zebrowski", state="sent", error=NAME, **told))
        session.get_one(Study, row.id).error = NAME
        events.emit(session, "study", row.id)
    store.close()
    return home.path, row.id


@pytest.fixture
def study(judged, home) -> str:
    """That study, in a data folder of its own; asked for before the store of that folder."""
    folder, study = judged
    shutil.copytree(folder, home.path, dirs_exist_ok=True)
    return study


def upload(settings, home, store, screener, *contents: bytes) -> str:
    files = []
    for index, content in enumerate(contents):
        taken = accept(settings, home, io.BytesIO(content), "")
        told = {"sha256": taken.sha256, "suffix": taken.suffix, "bytes": taken.size, "name": NAME}
        files.append(File(index=index, kind=taken.kind, **told))
    with store.write() as session:
        return queue.enqueue(
            session, Job(kind="upload", screener=screener.id, label=NAME, path=WHERE, files=files)
        ).id


def planted_in(home) -> dict[str, list[bytes]]:
    """The files of the data folder with bytes of what was planted, however they are packed."""
    found = {}
    for path in home.path.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        hits = has_planted(content) + has_planted(str(path.relative_to(home.path)).encode())
        if hits := [one for one in hits if not one.isdigit()]:  # digits stand in hashes and times
            found[str(path.relative_to(home.path))] = hits
    return found


def forget(home, *words: object) -> tuple[int, str]:
    result = CliRunner().invoke(commands, ["forget", *map(str, words), "--data", str(home.path)])
    return result.exit_code, result.output


@pytest.mark.parametrize("running", [True, False], ids=["while it runs", "when it has ended"])
def test_no_byte_of_it_is_left(study, settings, home, store, screener, head_png, running):
    one, other = picture(head_png, 1), picture(head_png, 2)
    job = upload(settings, home, store, screener, one, other)
    stays = upload(settings, home, store, screener, head_png(3), head_png(4))
    with store.write() as session:
        session.get_one(Job, stays).label = session.get_one(Job, stays).path = "kept"
        for file in session.scalars(select(File).where(File.job == stays)):
            file.name = "kept"
    assert Worker(settings, store, home).drain() == 2
    (home.path / "trash" / "left").write_bytes(NAME.encode())  # by a server that was killed
    before = set(planted_in(home))
    assert {"atypia.sqlite-wal", f"uploads/{hashlib.sha256(one).hexdigest()[:2]}"} <= before | {
        path.rpartition("/")[0] for path in before
    }
    assert any(path.startswith("studies/") for path in before)
    assert any("/dicom/" in path for path in before)

    code, told = forget(home, study, job)
    assert (code, "would delete: 1 study, 2 jobs, 3 findings" in told) == (0, True)
    assert "1 results were sent to peers" in told
    assert set(planted_in(home)) >= before

    if running:
        with held(home.path):
            code, told = forget(home, study, job, "--yes")
        (home.path / "trash" / "left").unlink()
    else:
        store.close()
        code, told = forget(home, study, job, "--yes")
    assert code == 0, told
    assert told.startswith(
        "deleted: 1 study, 2 jobs, 3 findings, 1 word of feedback, 5 instances, 2 uploaded files"
    )
    assert planted_in(home) == {}
    assert not list(home.studies.iterdir())
    assert len(list(home.all_findings.iterdir())) == 2
    with store.session() as session:
        assert list(session.scalars(select(Job.id))) == [stays]
        rows = session.scalars(select(Audit).where(Audit.action == forgetting.FORGOTTEN)).all()
        assert [(row.who, row.subject) for row in rows] == [("command line", None)] * 2
        assert sum(row.details["findings"] for row in rows) == 3
        gone = session.scalars(select(Event).where(Event.subject.in_([study, job]))).all()
        assert len(gone) <= 3  # that they are gone
    assert queue_is_sound(store)


def queue_is_sound(store) -> bool:
    with store.session() as session:
        return session.connection().exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"


def test_a_study_is_named_in_many_ways(study, settings, home, store, screener, head_png):
    content = head_png(9)
    job = upload(settings, home, store, screener, content)
    with store.session() as session:
        of_study = session.scalars(select(Job.id).where(Job.study == study)).one()
        finding = session.scalars(select(Finding.id).where(Finding.study == study)).one()
        key = session.get_one(Study, study).key
        for word in (study, of_study, finding, key, STUDY):
            assert forgetting.named(session, home, word).studies == {study}, word
        for word in (job, hashlib.sha256(content).hexdigest()):
            assert forgetting.named(session, home, word) == Chosen(jobs=frozenset({job})), word
        for word in ("", "x", "0" * 32, "0" * 64, "1.2.3", "%", job[:8]):
            assert not forgetting.named(session, home, word), word


@pytest.mark.parametrize(
    "words", [(), ("f" * 32,), ("--older-than", "0"), ("--older-than", "nan")], ids=["none", "id", "0", "nan"]
)
@pytest.mark.usefixtures("screener")
def test_what_names_nothing_deletes_nothing(home, words):
    code, told = forget(home, *words, "--yes")
    assert code == 2
    assert "deleted" not in told


def test_a_folder_that_is_none_is_not_made(tmp_path):
    result = CliRunner().invoke(commands, ["forget", "f" * 32, "--data", str(tmp_path / "none")])
    assert (result.exit_code, (tmp_path / "none").exists()) == (2, False)


def test_what_is_old_and_has_ended_is_forgotten(any_store, home, settings, described):
    store, long_ago = any_store, now() - timedelta(days=40)
    with store.write() as session:
        row = screeners.register(session, "0" * 64, described, name="quick", size=1)
        studies = [Study(key=str(number) * 64, state="complete", last=long_ago) for number in range(3)]
        studies[1].last = now()
        session.add_all(studies)
        session.flush()
        given = {"screener": row.id, "label": "a", "kind": "upload"}
        old = Job(state="done", ended=long_ago, created=long_ago, **given)
        never_begun = Job(state="queued", created=long_ago, **given)
        again = Job(state="done", ended=now(), study=studies[2].id, **given)
        session.add_all([old, never_begun, again, Job(state="done", ended=now(), **given)])
        session.flush()
        chosen = forgetting.older(session, 30)
    assert chosen == Chosen(frozenset({studies[0].id}), frozenset({old.id}))
    assert forgetting.forget_old(settings, store, home) == Amount()
    amount = forgetting.forget_old(replace(settings, keep_days=30.0), store, home)
    assert amount == Amount(studies=1, jobs=1)
    with store.session() as session:
        assert len(session.scalars(select(Job.id)).all()) == 3
        assert not forgetting.older(session, 30)
    assert store.compact()


def test_a_job_under_way_is_cancelled_and_what_its_worker_finds_counts_no_more(
    settings, home, store, screener, head_png
):
    job = upload(settings, home, store, screener, picture(head_png, 1))
    worker = Worker(settings, store, home)
    claimed = worker._claimed()
    with store.session() as session:
        chosen = forgetting.named(session, home, job)
    assert forgetting.forget(store, home, chosen, "me", "admin").jobs == 1
    from atypia.service.work.lease import Lease

    with Lease(store, settings, worker.owner, [job]) as lease:
        worker._sit(claimed, lease)
    assert store.compact()
    assert planted_in(home) == {}
    assert not list(home.all_findings.iterdir())


def test_the_api_forgets_a_study_whole(study, settings, home, store):
    from atypia.service.api.app import create_app
    from tests.service.api.conftest import BASE, TestClient

    with TestClient(create_app(settings, store, home, lambda: None), base_url=BASE) as client:
        assert client.delete(f"/api/v1/studies/{study}", params={"whole": True}).status_code == 204
        assert client.get("/api/v1/findings").json()["total"] == 0
        assert client.get("/api/v1/studies").json()["items"] == []
        rows = client.get("/api/v1/audit", params={"action": "study."}).json()["items"]
    assert [row["subject"] for row in rows if row["action"] == forgetting.FORGOTTEN] == [None, None]
    assert "Zebrowski" not in json.dumps([row for row in rows if row["action"] != "study.receive"])
    assert not list(home.studies.iterdir())
