"""Several processes write what one does, whichever of them dies, and none outlives who started it."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from atypia.errors import ArtefactError, ProcessesDied
from atypia.screening import Keeping, WatchedFile, crew, maker_of, score_to_folder
from atypia.screening.crew import TRIES, Crew

SHARD = 4
needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="processes are found in /proc")


def content(folder: Path) -> dict[str, bytes]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


@pytest.fixture
def judge(quick, quick_file, mixed):
    """Judge the mixed table into a folder with so many processes, all results asked for."""

    def run(out, processes):
        keeping = Keeping(SHARD, threads=2, watched=WatchedFile(quick_file), processes=processes)
        return score_to_folder(
            quick, mixed, out, "csv", True, True, [], maker_of(quick, quick_file), False, keeping
        )

    return run


@pytest.fixture
def whole(judge, tmp_path):
    """What one process writes."""
    judge(tmp_path / "whole", 1)
    return content(tmp_path / "whole")


@pytest.fixture
def deaths(monkeypatch):
    """Kill processes as they are given shards: that of each number so often."""
    left, killed, hand_out = {}, set(), Crew._hand_out

    def handing(self, waiting):
        hand_out(self, waiting)
        for hand in self._hands:
            pid = hand.process.pid
            if hand.at is not None and left.get(hand.at.number) and pid not in killed:
                left[hand.at.number] -= 1
                killed.add(pid)
                os.kill(pid, signal.SIGKILL)

    monkeypatch.setattr(Crew, "_hand_out", handing)
    return left


def test_who_dies_costs_a_retry_and_not_a_byte(judge, whole, deaths, tmp_path):
    deaths[1] = 1
    tally = judge(tmp_path / "out", 2)
    assert (tally.judged, tally.unreadable, tally.volumes, tally.lost) == (21, 1, 3, 1)
    assert content(tmp_path / "out") == whole
    assert not multiprocessing.active_children()


def test_a_shard_that_all_die_of_ends_the_job_and_what_is_done_is_kept(judge, whole, deaths, tmp_path):
    deaths[2] = TRIES
    with pytest.raises(
        ProcessesDied, match="the scans 9 to 13 to be judged, received the death of 3"
    ) as raised:
        judge(tmp_path / "out", 2)
    assert "the last by signal 9. Where memory runs out" in str(raised.value)
    assert "scans are done and kept: the same command goes on" in raised.value.__notes__[0]
    assert not list((tmp_path / "out" / ".unfinished").glob("*.part"))
    assert not multiprocessing.active_children()
    assert judge(tmp_path / "out", 1).kept >= 4
    assert content(tmp_path / "out") == whole


def test_processes_that_never_begin_end_the_job(judge, monkeypatch, tmp_path):
    started, begin = [], crew._started

    def starting(*given):
        started.append(begin(*given))
        started[-1].process.kill()
        return started[-1]

    monkeypatch.setattr(crew, "_started", starting)
    with pytest.raises(ProcessesDied, match=r"received the death of 5, the last by signal 9\. Give"):
        judge(tmp_path / "out", 2)
    assert len(started) == 2 + TRIES
    assert not list((tmp_path / "out").iterdir())


@pytest.fixture
def begin(quick_file, mixed_folder):
    """Begin `atypia score` in two processes of its own group; return it with theirs once a shard is kept."""
    begun = []

    def start(out, scans=mixed_folder):
        words = ["score", quick_file, scans, "-o", out, "--judge-all", "--heatmaps", "--shard", SHARD]
        command = [sys.executable, "-m", "atypia", *map(str, words), "--processes", "2", "--threads", "2"]
        process = subprocess.Popen(
            command,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            # A shell lets what it starts in the background ignore interrupts, and that is inherited.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        begun.append(process)
        while process.poll() is None and not list(out.glob(".unfinished/shard-??????/shard.json")):
            time.sleep(0.002)
        assert process.poll() is None, "it was done too soon to be disturbed"
        return process, children(process.pid)

    yield start
    for process in begun:
        process.kill()
        process.wait()
        process.stderr.close()


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def demand_gone(processes: list[int]) -> None:
    until = time.monotonic() + 30
    while any(map(alive, processes)):
        assert time.monotonic() < until, "a process outlives the one that started it"
        time.sleep(0.01)


@needs_proc
def test_none_outlives_a_killed_parent_and_the_same_command_goes_on(begin, judge, whole, tmp_path):
    process, others = begin(tmp_path / "out")
    assert len(others) >= 2
    process.kill()
    process.wait()
    demand_gone(others)
    assert judge(tmp_path / "out", 1).kept >= SHARD
    assert content(tmp_path / "out") == whole


@needs_proc
def test_an_interrupt_ends_all_at_once_with_one_line(begin, mixed_folder, tmp_path):
    (tmp_path / "many").mkdir()
    for number in range(400):
        shutil.copy(mixed_folder / "00.png", tmp_path / "many" / f"{number}.png")
    process, others = begin(tmp_path / "out", tmp_path / "many")
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert told.startswith("atypia: interrupted. ")
    assert told.endswith(" of 400 scans are done and kept: the same command goes on from there.\n")
    assert told.count("\n") == 1
    demand_gone(others)
    assert not list((tmp_path / "out").glob(".unfinished/*.part"))


def test_another_screener_in_its_place_is_refused_by_those_who_load_it(quick, quick_file, mixed, tmp_path):
    file = tmp_path / "brain.atypia"
    shutil.copy(quick_file, file)
    maker, watched = maker_of(quick, file), WatchedFile(file)
    file.write_bytes(b"another")
    keeping = Keeping(SHARD, threads=2, watched=watched, processes=2)
    with pytest.raises(ArtefactError, match=r"brain\.atypia: "):
        score_to_folder(quick, mixed, tmp_path / "out", maker=maker, keeping=keeping)
    assert not list((tmp_path / "out").iterdir())
    assert not multiprocessing.active_children()
