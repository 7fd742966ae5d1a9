"""A cluster's job without the cluster: what is kept of it, whatever goes wrong."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import replace

import pytest

from atypia.cluster import parts
from atypia.cluster.place import LOCK
from atypia.cluster.worker import Judged, Worker
from atypia.destination import held
from atypia.errors import ArtefactError, OutputError
from atypia.screener import Screener
from atypia.screening import Keeping, WatchedFile, maker_of, score_to_folder
from atypia.screening.child import OUT_OF_MEMORY
from atypia.screening.failed import Failed
from atypia.screening.order import Order

SMALL = Keeping(shard=4)
FEW_PAGES = 12


@pytest.fixture
def whole(quick_file, scans, tmp_path):
    """What the local engine writes with the same shards."""
    screener = Screener.load(quick_file)
    screener.use_threads(1)
    out = tmp_path / "whole"
    score_to_folder(
        screener, scans, out, "parquet", maker=maker_of(screener, quick_file), keeping=Keeping(4, threads=1)
    )
    return out


@contextmanager
def full_after(count):
    """Let the disk be full once so many shards are kept, in the middle of the next."""
    written, write = [], parts.Parts.keep

    def keep(self, shard, tables, counts):
        written.append(shard)
        if len(written) > count:
            self._place.write(f"regions/part-{shard.number:06}.parquet", tables["regions"])
            raise OutputError("full")
        write(self, shard, tables, counts)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts.Parts, "keep", keep)
        yield


def names(place):
    return sorted(file.relative_to(place).as_posix() for file in place.rglob("*") if file.is_file())


def test_rows_and_scores_are_those_of_the_local_engine(inline, judge, whole, rows_of, tmp_path):
    tally = judge(tmp_path / "out")
    assert inline == [5, 4, 3, 2, 1, 0]
    for table in ("findings", "regions"):
        assert rows_of(tmp_path / "out", table) == rows_of(whole, table)
    assert (tally.numbers["judged"], tally.numbers["unreadable"], tally.kept) == (21, 1, 0)
    assert list(tally.tables) == ["findings", "regions"]
    assert not (tmp_path / "out" / ".atypia.lock").exists()


def test_a_full_disk_leaves_what_is_done_and_the_next_run_goes_on(inline, judge, whole, rows_of, tmp_path):
    out = tmp_path / "out"
    with full_after(2), pytest.raises(OutputError, match="full") as raised:
        judge(out)
    assert raised.value.__notes__ == ["6 of 22 scans are done and kept: the same command goes on from there."]
    assert "regions/part-000003.parquet" in names(out), "half a shard is there, and is none that is done"
    inline.clear()
    tally = judge(out)
    assert inline == [3, 2, 1, 0]
    assert (tally.kept, tally.numbers["judged"]) == (6, 21)
    assert rows_of(out) == rows_of(whole)
    inline.clear()
    assert judge(out).kept == 22
    assert inline == [], "what is done is never done again"


def test_a_place_that_is_full_or_read_only_is_told_and_work_goes_on_there(
    inline, judge, whole, rows_of, disk
):
    with pytest.raises(OutputError, match="Read-only file system"):
        judge(disk("1m", "ro") / "out")
    out = disk("1m")
    filler = out / "filler"
    filler.write_bytes(bytes((1 << 20) - FEW_PAGES * 4096))
    with pytest.raises(OutputError, match="No space left on device") as raised:
        judge(out)
    assert "scans are done and kept: the same command goes on" in raised.value.__notes__[0]
    filler.unlink()
    inline.clear()
    assert judge(out).kept > 0
    assert 0 < len(inline) < 6
    assert rows_of(out) == rows_of(whole)


@pytest.fixture
def ready(quick_file, scans):
    """A worker of the cluster, here, that has the Screener; its scans."""
    screener, worker = Screener.load(quick_file), Worker()
    maker = maker_of(screener, quick_file)
    order = Order(maker, str(maker.sha256), False, False, False, 1, "cpu")
    assert not isinstance(worker.ready(quick_file.read_bytes(), order), Failed)
    return worker, list(scans.rows[:4])


def test_a_node_whose_disk_is_full_is_named(ready, disk, monkeypatch):
    worker, rows = ready
    place = disk("64k")
    (place / "filler").write_bytes(bytes((64 << 10) - 4096))
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    told = worker.judge(rows, 0)
    assert isinstance(told, Failed)
    assert told.kind == "OutputError"
    assert f"On the node {platform.node()}: {place}" in told.message
    assert "No space left on device" in told.message
    (place / "filler").unlink()
    assert isinstance(worker.judge(rows, 0), Judged)
    assert list(place.iterdir()) == []


def test_a_worker_without_memory_dies_that_another_may_try(ready, monkeypatch):
    """Its death costs a retry, and several over one shard end the job: tests of the pool show it."""
    worker, rows = ready

    def full(*_, **__):
        raise MemoryError

    monkeypatch.setattr("atypia.cluster.worker.judge_shard", full)
    monkeypatch.setattr(os, "_exit", sys.exit)
    with pytest.raises(SystemExit) as ended:
        worker.judge(rows, 0)
    assert ended.value.code == OUT_OF_MEMORY


def test_workers_need_no_cache(ready, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("ATYPIA_CACHE", str(tmp_path / "file"))
    worker, rows = ready
    assert isinstance(worker.judge(rows, 0), Judged)


@pytest.mark.parametrize("damage", ["findings/part-000002.parquet", "_atypia/shard-000002.json"])
def test_a_part_that_is_cut_short_is_made_again(inline, judge, whole, rows_of, tmp_path, damage):
    out = tmp_path / "out"
    judge(out)
    (out / damage).write_bytes(b"PAR1")
    inline.clear()
    judge(out)
    assert inline == [2]
    assert rows_of(out) == rows_of(whole)


@pytest.mark.usefixtures("inline")
def test_another_job_is_refused_until_the_first_is_removed(judge, scans, tmp_path):
    out = tmp_path / "out"
    judge(out)
    before = names(out)
    fewer = replace(scans, rows=scans.rows[:-5])
    with pytest.raises(
        OutputError, match=r"received another: the number of scans \(22 then, 17 now\), the l"
    ):
        judge(out, fewer)
    with pytest.raises(OutputError, match=r"received another: --judge-all \(not given then, given now\)"):
        judge(out, judge_all=True)
    assert names(out) == before
    (out / "mine.txt").write_text("stays")
    judge(out, fewer, Keeping(shard=4, anew=True))
    assert [name for name in names(out) if name.startswith("findings")] == [
        f"findings/part-00000{number}.parquet" for number in range(5)
    ]
    assert (out / "mine.txt").exists()


def test_results_of_the_local_engine_are_not_mixed_with(inline, judge, whole):
    with pytest.raises(
        OutputError, match=r"without results, or with those of this job; received findings\.p"
    ):
        judge(whole)
    assert inline == []


def test_two_jobs_to_one_folder(inline, judge, tmp_path):
    with held(tmp_path), pytest.raises(OutputError, match="expected a folder that no other job writes to"):
        judge(tmp_path)
    assert inline == []


@pytest.mark.usefixtures("inline")
def test_a_screener_that_becomes_another_ends_the_job(judge, quick_file, tmp_path):
    model = tmp_path / "brain.atypia"
    shutil.copy(quick_file, model)
    watched = WatchedFile(model)
    screener = Screener.load(model)
    maker = maker_of(screener, model)
    keep = parts.Parts.keep

    def swapping(self, shard, tables, counts):
        keep(self, shard, tables, counts)
        screener.with_threshold("quantile", 0.5).save(model)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts.Parts, "keep", swapping)
        with pytest.raises(ArtefactError, match="another file in its place during the job") as raised:
            judge(tmp_path / "out", keeping=Keeping(4, watched=watched), model=model)
    assert raised.value.__notes__ == ["2 of 22 scans are done and kept: the same command goes on from there."]
    assert maker.sha256 != maker_of(screener, model).sha256


def test_the_lock_is_no_result():
    assert not parts._ours(LOCK)
    assert parts._ours("findings/part-000001.parquet")
    assert not parts._ours("findings/other.parquet")
