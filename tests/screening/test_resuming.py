from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from atypia.destination import held
from atypia.errors import ArtefactError, BadOption, OutputError, UnreadableScan
from atypia.screener import Screener
from atypia.screening import Keeping, WatchedFile, maker_of, of_shard, score_to_folder
from atypia.writing.table import FindingsWriter

SMALL = Keeping(shard=4)


def content(folder: Path) -> dict[str, bytes]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


@pytest.fixture
def judge(quick, quick_file, mixed):
    """Judge the mixed table into a folder, all results asked for."""

    def run(out, keeping=SMALL, kind="csv", scans=mixed, heatmaps=True):
        maker = maker_of(quick, quick_file)
        return score_to_folder(quick, scans, out, kind, heatmaps, True, [], maker, False, keeping)

    return run


@pytest.fixture
def scored(monkeypatch):
    """The names of all scans that a Screener was given to score."""
    names, score = [], Screener.score

    def scoring(self, scans, **options):
        names.extend(row.name for row in scans)
        return score(self, scans, **options)

    monkeypatch.setattr(Screener, "score", scoring)
    return names


@pytest.fixture
def interrupt(judge, monkeypatch):
    """Judge into a folder with a disk that is full when so many findings are written; return the error."""

    def run(out: Path, count: int = 10, judge=judge) -> OutputError:
        written, write = [], FindingsWriter.write

        def writing(self, finding):
            written.append(finding)
            if len(written) > count:
                raise OutputError("full")
            write(self, finding)

        with monkeypatch.context() as patch:
            patch.setattr(FindingsWriter, "write", writing)
            with pytest.raises(OutputError, match="full") as raised:
                judge(out)
        return raised.value

    return run


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_shards_change_not_a_byte(judge, tmp_path, kind):
    whole = judge(tmp_path / "whole", Keeping(), kind)
    parted = judge(tmp_path / "parted", SMALL, kind)
    files = content(tmp_path / "whole")
    assert files == content(tmp_path / "parted")
    assert sum(name.endswith(".png") for name in files) == 12 + 9
    assert {f"heatmaps/volume-000{number}.nii.gz" for number in (1, 2, 3)} < set(files)
    assert (parted.judged, parted.unreadable, parted.volumes, parted.kept) == (21, 1, 3, 0)
    moved = {name: str(value).replace("parted", "whole") for name, value in vars(parted).items()}
    assert moved == {name: str(value) for name, value in vars(whole).items()}


def test_a_full_disk_leaves_what_is_done_and_the_next_run_goes_on(judge, interrupt, scored, mixed, tmp_path):
    judge(tmp_path / "whole")
    out = tmp_path / "out"
    out.mkdir()
    (out / "findings.csv").write_text("of an earlier run")
    scored.clear()
    error = interrupt(out)
    assert "8 of 22 scans are done and kept: the same command goes on from there." in error.__notes__
    assert (out / "findings.csv").read_text() == "of an earlier run"
    assert sorted(path.name for path in out.iterdir()) == [".unfinished", "findings.csv"]
    scored.clear()
    tally = judge(out)
    assert scored == [row.name for row in mixed.rows[8:]]
    assert (tally.judged, tally.unreadable, tally.kept) == (21, 1, 8)
    assert content(out) == content(tmp_path / "whole")


def test_where_nothing_is_done_nothing_stays(interrupt, tmp_path):
    error = interrupt(tmp_path / "out", count=2)
    assert not hasattr(error, "__notes__")
    assert not list((tmp_path / "out").iterdir())


def test_another_job_is_refused_until_the_first_is_given_up(judge, interrupt, mixed, quick, tmp_path):
    out = tmp_path / "out"
    interrupt(out)
    kept = content(out)
    with pytest.raises(
        OutputError, match=r"received another: --heatmaps \(given then, not given now\)\. Give"
    ):
        judge(out, heatmaps=False)
    fewer = replace(mixed, rows=mixed.rows[:-1])
    with pytest.raises(
        OutputError, match=r"the number of scans \(22 then, 21 now\), the list of scans\. Give"
    ):
        judge(out, scans=fewer)
    with pytest.raises(OutputError, match=r"received another: --shard \(4 then, 5 now\)\. Give the earlier"):
        judge(out, Keeping(shard=5))
    quick.save(tmp_path / "other.atypia")
    other = replace(maker_of(quick, tmp_path / "other.atypia", "quick"), sha256="0" * 64)
    with pytest.raises(OutputError, match=r"received another: the Screener\. Give"):
        score_to_folder(quick, mixed, out, "csv", True, True, [], other, keeping=SMALL)
    assert content(out) == kept
    judge(out, Keeping(shard=4, anew=True), heatmaps=False)
    judge(tmp_path / "whole", heatmaps=False)
    assert content(out) == content(tmp_path / "whole")


def test_a_scan_that_changed_costs_its_shard(judge, interrupt, scored, mixed, tmp_path):
    interrupt(tmp_path)
    os.utime(mixed.rows[5].path, ns=(7, 7))
    scored.clear()
    assert judge(tmp_path).kept == 4
    assert scored == [row.name for row in mixed.rows[4:]]


@pytest.mark.parametrize("damage", ["cut", "gone", "no JSON"])
def test_a_shard_that_is_damaged_is_done_again(judge, interrupt, tmp_path, damage):
    judge(tmp_path / "whole")
    out = tmp_path / "out"
    interrupt(out)
    shard = out / ".unfinished" / "shard-000001"
    if damage == "no JSON":
        (shard / "shard.json").write_text("{")
    elif damage == "gone":
        shutil.rmtree(shard / "heatmaps")
    else:
        os.truncate(shard / "findings.parquet", 99)
    assert judge(out).kept == 4
    assert content(out) == content(tmp_path / "whole")


def test_a_journal_that_cannot_be_read_is_refused(judge, interrupt, tmp_path):
    interrupt(tmp_path)
    (tmp_path / ".unfinished" / "job.json").write_text("[]")
    with pytest.raises(OutputError, match=r"its job\.json cannot be read"):
        judge(tmp_path)


def test_the_journal_names_nobody_and_no_scan(interrupt, mixed, tmp_path):
    interrupt(tmp_path)
    texts = [path.read_text() for path in (tmp_path / ".unfinished").rglob("*.json")]
    assert len(texts) == 3
    assert not any(str(row.path.parent) in text for row in mixed for text in texts)


def test_an_unsaved_screener_cannot_be_known_again(quick, mixed, interrupt, tmp_path):
    def judge(out):
        return score_to_folder(quick, mixed, out, judge_all=True, keeping=SMALL)

    interrupt(tmp_path, judge=judge)
    assert judge(tmp_path).kept == 0


def test_two_jobs_cannot_write_to_one_folder(judge, tmp_path):
    with held(tmp_path), pytest.raises(OutputError, match=f"received one that process {os.getpid()} on "):
        judge(tmp_path)
    judge(tmp_path)
    assert not list(tmp_path.glob(".*"))


def test_a_screener_that_changes_meanwhile_is_noticed(quick, quick_file, mixed, scored, tmp_path):
    file = tmp_path / "brain.atypia"
    shutil.copy(quick_file, file)
    keeping = Keeping(4, watched=WatchedFile(file))
    maker = maker_of(quick, file)
    shutil.copy(quick_file, tmp_path / "same")
    (tmp_path / "same").replace(file)  # another file, but the same bytes
    score_to_folder(quick, mixed, tmp_path / "out", maker=maker, keeping=keeping)
    before = content(tmp_path / "out")
    file.write_bytes(b"another")
    with pytest.raises(ArtefactError, match="received another file in its place") as raised:
        score_to_folder(quick, mixed, tmp_path / "out", maker=maker, keeping=keeping)
    assert "4 of 22 scans are done" in raised.value.__notes__[0]
    assert {name: data for name, data in content(tmp_path / "out").items() if name[0] != "."} == before
    shutil.copy(quick_file, file)
    scored.clear()
    assert score_to_folder(quick, mixed, tmp_path / "out", maker=maker, keeping=keeping).kept == 4
    assert len(scored) == 18
    file.unlink()
    with pytest.raises(ArtefactError, match="received no file"):
        score_to_folder(quick, mixed, tmp_path / "out", maker=maker, keeping=keeping)


def test_another_kind_is_refused_before_the_work(quick, mixed, scored, tmp_path):
    with pytest.raises(BadOption, match="xlsx"):
        score_to_folder(quick, mixed, tmp_path / "out", "xlsx", keeping=SMALL)
    assert not scored
    assert not (tmp_path / "out").exists()


def test_a_scan_that_is_gone_before_it_is_drawn_costs_its_picture(judge, tmp_path, monkeypatch):
    def gone(row):
        raise UnreadableScan(row.path, "a picture", "no such file")

    monkeypatch.setattr(of_shard, "read_row", gone)
    tally = judge(tmp_path)
    assert tally.judged == 21
    assert tally.left_out["pictures"].startswith("12.png: expected a picture")


def test_half_a_table_of_a_process_killed_at_the_end_is_no_result(judge, interrupt, tmp_path):
    judge(tmp_path / "whole")
    out = tmp_path / "out"
    interrupt(out)
    (out / ".unfinished" / "merged").mkdir()
    (out / ".unfinished" / "merged" / ".findings.csv.1.part").write_text("name,verd")
    judge(out)
    assert content(out) == content(tmp_path / "whole")
