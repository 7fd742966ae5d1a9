"""What a process that judges tells the one that started it; here it is a thread, for that starts at once."""

from __future__ import annotations

import multiprocessing
import tempfile
import warnings
from dataclasses import replace
from threading import Thread

import pytest

from atypia.screening import child, maker_of
from atypia.screening.child import READY, Broken, Given, Seen, Warned, work
from atypia.screening.failed import Failed
from atypia.screening.order import Order
from atypia.screening.tally import Counts


@pytest.fixture
def order(quick, quick_file):
    maker = maker_of(quick, quick_file)
    return Order(maker, maker.sha256, True, False, True, 1, "cpu", heatmaps=True, results=("nifti",))


@pytest.fixture
def told(monkeypatch, order, quick_file, tmp_path):
    """Have shards judged, and return all that is told of them."""
    monkeypatch.setattr(child, "_live_with_parent", lambda _: None)
    monkeypatch.setattr(child, "_EVERY", 0)
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(warnings, "showwarning", None)

    def run(*shards, order=order, file=quick_file):
        here, there = multiprocessing.Pipe()
        thread = Thread(target=work, args=(there, file, order, str(tmp_path)))
        thread.start()
        for shard in shards:
            here.send(shard)
        found = []
        while not found or isinstance(found[-1], (str, Seen, Warned)):
            if found == [READY] and not shards:
                break
            assert here.poll(20), "it tells no more"
            found.append(here.recv())
        here.close()
        thread.join()
        there.close()
        return found

    return run


def test_it_tells_how_far_it_is_and_what_came_of_a_shard(told, mixed, tmp_path):
    first, *seen, counts = told(Given(mixed.rows[4:9], tmp_path / "part", "csv", 0))
    assert first == READY
    assert seen == [Seen(count) for count in range(1, 6)]
    assert isinstance(counts, Counts)
    assert (counts.numbers["judged"], counts.numbers["unreadable"]) == (4, 1)
    assert len(list((tmp_path / "part" / "heatmaps").iterdir())) == 4


def test_it_ends_with_its_line(told):
    assert told() == [READY]


def test_a_file_that_is_another_is_told(told, order, tmp_path):
    (failed,) = told(order=replace(order, sha256="0" * 64))
    assert isinstance(failed, Failed)
    assert failed.kind == "ArtefactError"
    assert "received another file in its place" in failed.message
    (tmp_path / "brain").write_bytes(b"no Screener")
    (failed,) = told(file=tmp_path / "brain")
    assert failed.kind == "CorruptArtefact"


def test_what_cannot_be_written_is_told(told, mixed, tmp_path):
    (tmp_path / "file").write_text("no folder")
    failed = told(Given(mixed.rows[:2], tmp_path / "file" / "part", "csv", 0))[-1]
    assert failed.kind == "OutputError"


def test_a_full_disk_and_a_fault_of_ours_are_told(told, mixed, tmp_path, monkeypatch):
    def judging(*_, **__):
        raise error

    monkeypatch.setattr(child, "judge_shard", judging)
    error = OSError(28, "No space left on device")
    given = Given(mixed.rows[:2], tmp_path / "part", "csv", 0)
    assert told(given) == [READY, Failed("OSError", "No space left on device", 28)]
    error = ZeroDivisionError("by nothing")
    broken = told(given)[-1]
    assert isinstance(broken, Broken)
    assert "by nothing" in broken.trace


def test_warnings_are_told_and_not_printed(told, mixed, tmp_path, monkeypatch, capsys):
    judge = child.judge_shard

    def judging(*given, **named):
        warnings.showwarning("look here", UserWarning, "file.py", 7)
        return judge(*given, **named)

    monkeypatch.setattr(child, "judge_shard", judging)
    found = told(Given(mixed.rows[:2], tmp_path / "part", "csv", 0))
    assert [one.text for one in found if isinstance(one, Warned)] == ["file.py:7: UserWarning: look here\n"]
    assert capsys.readouterr().err == ""
