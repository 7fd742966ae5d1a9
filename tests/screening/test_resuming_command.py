from __future__ import annotations

import pytest

from atypia.destination import held
from atypia.writing.table import FindingsWriter


@pytest.fixture
def words(quick_file, mixed_folder, tmp_path):
    return ("score", quick_file, mixed_folder, "-o", tmp_path / "out", "--judge-all", "--shard", 4)


@pytest.fixture
def interrupted(atypia, words, monkeypatch):
    """What a job said that the user interrupted after nine scans."""
    written, write = [], FindingsWriter.write

    def writing(self, finding):
        written.append(finding)
        if len(written) == 10:
            raise KeyboardInterrupt
        write(self, finding)

    with monkeypatch.context() as patch:
        patch.setattr(FindingsWriter, "write", writing)
        return atypia(*words)


def test_what_was_interrupted_goes_on_with_the_same_command(atypia, words, interrupted, tmp_path):
    assert interrupted.code == 130
    assert interrupted.err == (
        "atypia: interrupted. 8 of 22 scans are done and kept: the same command goes on from there.\n"
    )
    outcome = atypia(*words)
    assert outcome.code == 1, "one picture is broken"
    assert outcome.err.startswith("went on where it was interrupted: 8 scans were done before\n")
    assert outcome.out.startswith("21 scans judged, ")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "findings.csv",
        "regions.csv",
        "volume_regions.csv",
        "volumes.csv",
    ]
    assert "went on" not in atypia(*words).err


def test_another_command_is_refused_unless_it_may_begin_anew(atypia, words, interrupted, tmp_path):
    assert interrupted.code == 130
    outcome = atypia(*words, "--threads", 1, "--format", "jsonl")
    assert outcome.code == 6
    assert outcome.err.startswith(f"atypia: {tmp_path / 'out'}: expected the job that was interrupted there")
    assert "--format (csv then, jsonl now), --threads (none then, 1 now)." in outcome.err
    outcome = atypia(*words, "--format", "jsonl", "--anew")
    assert (outcome.code, "went on" in outcome.err) == (1, False)
    assert (tmp_path / "out" / "findings.jsonl").exists()
    assert not (tmp_path / "out" / ".unfinished").exists()


def test_a_folder_that_another_job_writes_to_is_code_6(atypia, words, tmp_path):
    (tmp_path / "out").mkdir()
    with held(tmp_path / "out"):
        outcome = atypia(*words)
    assert outcome.code == 6
    assert "expected a folder that no other job writes to" in outcome.err
