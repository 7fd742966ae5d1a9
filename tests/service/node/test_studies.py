"""A study is complete when it is quiet, or large enough; what comes later makes it complete anew."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from atypia.service.node.instance import examine
from atypia.service.node.recording import Recorder
from atypia.service.node.settings import NodeSettings
from atypia.service.node.studies import complete_due, forget_old, remove, supersede
from atypia.service.store.models import Feedback, Finding, Instance, Job, Study, now

QUIET = NodeSettings(quiet_seconds=20)
UID = "1.2.3.4"


@pytest.fixture
def arrive(home, store, write_study, tmp_path) -> Callable[..., None]:
    """`arrive(count, study=UID, **more)` records so many new instances of a study."""
    recorder = Recorder(store, home, NodeSettings())

    def take(count: int, study: str = UID, **more) -> None:
        files = write_study(tmp_path / "sent", count=count, study=study, size=8, **more)
        ready = [examine(Path(shutil.copyfile(file, home.fresh()))) for file in files]
        recorder.record(ready, "SCANNER", "c-store")

    yield take
    recorder.stop()


def all_of(store, kind):
    with store.session() as session:
        return list(session.scalars(select(kind).order_by(kind.id)))


def later(seconds: float):
    return now() + timedelta(seconds=seconds)


def end_all(store, verdict: str = "normal") -> None:
    with store.write() as session:
        for number, job in enumerate(session.scalars(select(Job).where(Job.state == "queued"))):
            job.state = "done"
            session.add(
                Finding(job=job.id, study=job.study, screener=job.screener, index=number, label="study",
                        kind="volume", verdict=verdict)
            )  # fmt: skip


def test_it_is_complete_when_quiet(arrive, store, screener):
    arrive(3)
    assert complete_due(store, QUIET) == 0
    assert complete_due(store, QUIET, later(19)) == 0
    assert complete_due(store, QUIET, later(21)) == 1
    assert complete_due(store, QUIET, later(99)) == 0
    (study,), (job,) = all_of(store, Study), all_of(store, Job)
    assert (study.state, study.version) == ("complete", 1)
    assert (job.kind, job.study, job.state, job.screener) == ("study", study.id, "queued", screener.id)
    assert job.options["results"] == ["seg", "sr", "sc"]
    assert UID not in job.label


@pytest.mark.usefixtures("screener")
def test_it_is_complete_with_so_many_images_the_first_time(arrive, store):
    settings = replace(QUIET, complete_at=3)
    arrive(2)
    assert complete_due(store, settings) == 0
    arrive(1)
    assert complete_due(store, settings) == 1
    arrive(1)
    assert complete_due(store, settings) == 0, "then not for each that follows"
    assert complete_due(store, settings, later(21)) == 1
    assert all_of(store, Study)[0].version == 2


@pytest.mark.usefixtures("screener")
def test_what_holds_no_image_is_set_aside(arrive, store):
    arrive(2, edit=lambda data, _index: delattr(data, "PixelData"))
    assert complete_due(store, QUIET, later(21)) == 0
    (study,) = all_of(store, Study)
    assert study.state == "aside"
    assert "no MR images" in study.error
    arrive(1)
    assert complete_due(store, QUIET, later(21)) == 1


def test_without_a_screener_it_waits_and_says_why(arrive, store, request):
    arrive(2)
    assert complete_due(store, QUIET, later(21)) == 0
    (study,) = all_of(store, Study)
    assert (study.state, study.version) == ("receiving", 0)
    assert "Screener" in study.error
    request.getfixturevalue("screener")
    assert complete_due(store, QUIET, later(21)) == 1
    assert all_of(store, Study)[0].error is None


@pytest.mark.usefixtures("screener")
def test_studies_are_complete_each_by_itself(arrive, store):
    for number in range(30):
        arrive(1, study=f"1.2.{number}")
    assert [complete_due(store, QUIET, later(21)) for _ in range(3)] == [20, 10, 0]
    assert len({job.study for job in all_of(store, Job)}) == 30


@pytest.mark.usefixtures("screener")
def test_two_servers_do_not_take_the_same_study(arrive, store):
    from concurrent.futures import ThreadPoolExecutor

    for number in range(10):
        arrive(1, study=f"1.2.{number}")
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: complete_due(store, QUIET, later(21)), range(4)))
    assert sum(made) == len(all_of(store, Job)) == 10


@pytest.mark.usefixtures("screener")
@pytest.mark.parametrize("touched", ["no", "reviewed", "feedback"])
def test_results_of_before_it_grew_stay_until_there_are_new_ones(arrive, store, home, touched):
    arrive(2)
    complete_due(store, QUIET, later(21))
    end_all(store)
    (old,) = all_of(store, Finding)
    (home.findings(old.id) / "dicom").mkdir(parents=True)
    with store.write() as session:
        if touched == "reviewed":
            session.get(Finding, old.id).review = "accepted"
        elif touched == "feedback":
            session.add(Feedback(finding=old.id, label="healthy", by="reader"))
    arrive(1)
    complete_due(store, QUIET, later(21))
    assert supersede(store, home) == 0
    assert all_of(store, Finding)[0].id == old.id
    end_all(store)
    kept = touched != "no"
    assert supersede(store, home) == (not kept)
    assert (old.id in [one.id for one in all_of(store, Finding)]) == kept
    assert home.findings(old.id).exists() == kept
    assert len(all_of(store, Finding)) == len(all_of(store, Job)) == 1 + kept
    assert supersede(store, home) == 0


@pytest.mark.usefixtures("screener")
def test_old_studies_are_forgotten_where_that_is_set(arrive, store, home):
    arrive(2)
    arrive(1, study="1.2.5")
    complete_due(store, QUIET, later(21))
    day = 86_400
    assert forget_old(store, home, QUIET, later(9 * day)) == 0
    settings = replace(QUIET, keep_days=7)
    assert forget_old(store, home, settings, later(6 * day)) == 0
    assert forget_old(store, home, settings, later(8 * day)) == 0, "their jobs wait"
    end_all(store)
    assert forget_old(store, home, settings, later(8 * day)) == 2
    assert (all_of(store, Study), all_of(store, Instance), list(home.studies.iterdir())) == ([], [], [])
    assert len(all_of(store, Finding)) == 2
    assert not remove(store, home, "0" * 32)
