"""Instances are recorded before they are acknowledged: each once, whoever sends it, and whatever fails."""

from __future__ import annotations

import errno
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from sqlalchemy import select

from atypia.service.node.instance import examine
from atypia.service.node.outcome import Outcome
from atypia.service.node.recording import Recorder
from atypia.service.node.settings import NodeSettings
from atypia.service.store.models import Event, Instance, Study


@pytest.fixture
def recorder(any_store, home):
    made = Recorder(any_store, home, NodeSettings(study_instances=40))
    yield made
    made.stop()


@pytest.fixture
def arrive(home):
    """`arrive(file)` gives a copy of a file as it lies after it was received, examined."""

    def copy(file: Path):
        return examine(Path(shutil.copyfile(file, home.fresh().with_suffix(".dcm"))))

    return copy


def rows(store, kind):
    with store.session() as session:
        return list(session.scalars(select(kind)))


def test_what_is_stored_lies_with_its_study_and_names_nobody(
    recorder, arrive, write_study, any_store, home, tmp_path
):
    files = write_study(tmp_path, count=4)
    assert recorder.record([arrive(file) for file in files], "SCANNER", "c-store") == [Outcome.STORED] * 4
    (study,) = rows(any_store, Study)
    assert (study.instances, study.objects, study.state, study.source) == (4, 0, "receiving", "SCANNER")
    stored = {row.file for row in rows(any_store, Instance)}
    assert stored == {file.name for file in home.study(study.id).iterdir()}
    assert list(home.tmp.iterdir()) == []
    header = pydicom.dcmread(files[0])
    told = repr([vars(row) for row in (study, *rows(any_store, Instance))]) + repr(stored)
    for secret in (header.StudyInstanceUID, header.SOPInstanceUID, "Zebrowski", "QZ-90210", "ACC55512"):
        assert secret not in told
    assert [event.kind for event in rows(any_store, Event)] == ["study"]


def test_the_same_twice_counts_once(recorder, arrive, write_study, any_store, tmp_path):
    (file,) = write_study(tmp_path / "a", count=1)
    assert recorder.record([arrive(file), arrive(file)], "A", "stow") == [Outcome.STORED, Outcome.REPEATED]
    assert recorder.record([arrive(file)], "B", "c-store") == [Outcome.REPEATED]
    data = pydicom.dcmread(file)
    data.PixelData = bytes(len(data.PixelData))
    pydicom.dcmwrite(file, data)
    assert recorder.record([arrive(file)], "B", "c-store") == [Outcome.DIFFERENT]
    (study,) = rows(any_store, Study)
    assert study.instances == len(rows(any_store, Instance)) == 1


def test_a_study_takes_no_more_than_it_may(recorder, arrive, write_study, home, tmp_path):
    first = [arrive(file) for file in write_study(tmp_path, count=45, study="1.2.3", size=8)]
    told = recorder.record(first, "A", "c-store")
    assert told == [Outcome.STORED] * 40 + [Outcome.STUDY_FULL] * 5
    assert len(list(home.studies.rglob("*.dcm"))) == 40


def test_two_senders_of_one_study_lose_nothing(arrive, write_study, any_store, home, tmp_path):
    settings = NodeSettings()
    recorders = [Recorder(any_store, home, settings) for _ in range(2)]  # as two servers have
    files = write_study(tmp_path, count=24, study="1.2.3", size=8)
    with ThreadPoolExecutor(8) as pool:
        sent = [
            pool.submit(recorders[number % 2].record, [arrive(file)], f"S{number}", "c-store")
            for number, file in enumerate(files + files[::-1])
        ]
        told = [one for result in sent for one in result.result()]
    for recorder in recorders:
        recorder.stop()
    assert sorted(one.name for one in told) == ["REPEATED"] * 24 + ["STORED"] * 24
    (study,) = rows(any_store, Study)
    assert study.instances == len(rows(any_store, Instance)) == len(list(home.studies.rglob("*.dcm"))) == 24


def test_a_full_disk_is_told_and_leaves_nothing(
    recorder, arrive, write_study, any_store, tmp_path, monkeypatch
):
    ready = [arrive(file) for file in write_study(tmp_path, count=2)]

    def full(*_given):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", full)
        assert recorder.record(ready, "A", "c-store") == [Outcome.NO_ROOM] * 2
    assert rows(any_store, Instance) == []
    assert recorder.record(ready, "A", "c-store") == [Outcome.STORED] * 2
    (study,) = rows(any_store, Study)
    assert study.instances == 2


def test_a_database_that_fails_leaves_nothing(
    recorder, arrive, write_study, any_store, tmp_path, monkeypatch
):
    ready = [arrive(file) for file in write_study(tmp_path, count=2)]
    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "_forget_known", lambda *_given: 1 / 0)
        assert recorder.record(ready, "A", "c-store") == [Outcome.FAILED] * 2
    assert rows(any_store, Study) == []
    moved = [replace(one, path=one.path) for one in ready]
    assert recorder.record(moved, "A", "c-store") == [Outcome.STORED] * 2


def test_after_its_end_nothing_is_taken(any_store, home, arrive, write_study, tmp_path):
    recorder = Recorder(any_store, home, NodeSettings())
    recorder.stop()
    ready = [arrive(file) for file in write_study(tmp_path, count=1)]
    assert recorder.record(ready, "A", "c-store") == [Outcome.FAILED]


def test_results_that_come_back_open_no_study_again(recorder, arrive, write_study, any_store, tmp_path):
    images = write_study(tmp_path / "a", count=2, study="1.2.3")
    recorder.record([arrive(file) for file in images], "A", "c-store")
    with any_store.write() as session:
        session.scalars(select(Study)).one().state = "complete"

    def segmentation(data, _index):
        data.Modality, data.SOPClassUID = "SEG", "1.2.840.10008.5.1.4.1.1.66.4"

    (result,) = write_study(tmp_path / "b", count=1, study="1.2.3", edit=segmentation)
    assert recorder.record([arrive(result)], "PACS", "c-store") == [Outcome.STORED]
    (study,) = rows(any_store, Study)
    assert (study.state, study.instances, study.objects) == ("complete", 3, 1)
    (another,) = write_study(tmp_path / "c", count=1, study="1.2.3")
    recorder.record([arrive(another)], "A", "c-store")
    assert rows(any_store, Study)[0].state == "receiving"
