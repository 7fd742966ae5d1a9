from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from atypia import destination
from atypia.destination import LOCK, claim_file, claim_folder, clear, held, held_file, replacing
from atypia.errors import OutputError


def test_a_claimed_folder_is_there_and_empty(tmp_path):
    claim_folder(tmp_path / "a" / "b")
    assert not list((tmp_path / "a" / "b").iterdir())
    claim_folder(tmp_path / "a" / "b")


@pytest.mark.parametrize(
    "claim", [claim_folder, lambda out: claim_file(out / "table.csv")], ids=["folder", "file"]
)
def test_what_a_killed_process_left_half_written_goes_after_an_hour(tmp_path, claim):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    old, fresh, mine, other = (
        tmp_path / name
        for name in (
            f".table.csv.0.{gone.pid}.part",
            f".table.csv.1.{gone.pid}.part",
            f".table.csv.0.{os.getpid()}.part",
            ".table.csv.notes.part",
        )
    )
    for path in (old, fresh, mine, other):
        path.write_text("half")
        os.utime(path, None if path == fresh else (9, 9))
    claim(tmp_path)
    assert set(tmp_path.iterdir()) == {fresh, mine, other}


def test_a_claimed_file_is_not_written_yet(tmp_path):
    claim_file(tmp_path / "a" / "b.atypia")
    assert not list((tmp_path / "a").iterdir())


def test_what_is_in_the_way_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="expected a folder for the results, received a file"):
        claim_folder(tmp_path / "file")
    with pytest.raises(OutputError, match="expected a folder for the results"):
        claim_file(tmp_path / "file" / "b.atypia")
    with pytest.raises(OutputError, match="expected the name of a file, received a folder"):
        claim_file(tmp_path)


def test_a_folder_that_may_not_be_written_is_told_before_the_work(tmp_path, monkeypatch):
    def refused(**_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(destination.tempfile, "TemporaryFile", refused)
    with pytest.raises(OutputError, match="Permission denied"):
        claim_folder(tmp_path)


def test_what_was_not_written_anew_goes(tmp_path):
    for name in ("findings.csv", "findings.jsonl", "notes.txt"):
        (tmp_path / name).write_text("old")
    with replacing(tmp_path, "findings.*"):
        fresh = tmp_path / "fresh"
        fresh.write_text("old")  # the same words, and perhaps the same moment: it is another file
        fresh.replace(tmp_path / "findings.csv")
    assert {path.name for path in tmp_path.iterdir()} == {"findings.csv", "notes.txt"}


def test_a_folder_that_is_left_empty_goes_too(tmp_path):
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "a.png").write_text("old")
    with replacing(tmp_path, "maps/*.png"):
        pass
    assert not list(tmp_path.iterdir())
    with replacing(tmp_path, "maps/*.png"):
        pass


def test_nothing_goes_where_the_work_failed(tmp_path):
    (tmp_path / "findings.csv").write_text("old")
    with pytest.raises(OutputError), replacing(tmp_path, "findings.*"):
        raise OutputError("full")
    assert (tmp_path / "findings.csv").read_text() == "old"


def test_a_held_folder_is_held_by_one_and_then_free(tmp_path):
    with (
        held(tmp_path),
        pytest.raises(OutputError, match=r"that process \d+ on .* is writing to"),
        held(tmp_path),
    ):
        pass
    with held(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_a_held_file_is_held_by_one_and_then_free(tmp_path):
    file, other = tmp_path / "brain.atypia", tmp_path / "other.atypia"
    with (
        held_file(file),
        held_file(other),
        pytest.raises(OutputError, match=r"brain.atypia: expected a file that .* that process \d+ on .* is"),
        held_file(file),
    ):
        pass
    with held_file(file):
        pass
    assert not list(tmp_path.iterdir())


def test_the_lock_of_another_is_not_removed(tmp_path):
    with held(tmp_path):
        (tmp_path / LOCK).unlink()
        (tmp_path / LOCK).write_text("another")
    assert (tmp_path / LOCK).read_text() == "another"


def test_the_lock_of_a_process_that_was_killed_is_void(tmp_path):
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom atypia.destination import held\n"
        "with held(Path(sys.argv[1])):\n    os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode != 0
    assert [path.name for path in tmp_path.iterdir()] == [LOCK]
    with held(tmp_path):
        pass


def test_a_lock_that_its_holder_removed_is_not_taken_for_one(tmp_path, monkeypatch):
    opened = []

    def lock(file):
        opened.append(file)
        if len(opened) == 1:  # between the opening and the locking, who held it has ended
            (tmp_path / LOCK).unlink()
        return True

    monkeypatch.setattr(destination, "lock", lock)
    with held(tmp_path):
        assert len(opened) == 2
        assert (tmp_path / LOCK).exists()


def test_a_file_system_without_locks_holds_none(tmp_path, monkeypatch):
    import fcntl

    def unknown(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unknown)
    with held(tmp_path), held(tmp_path):
        assert (tmp_path / LOCK).exists()


def test_what_is_cleared_takes_its_empty_folder_along(tmp_path):
    for name in ("maps/a.png", "pages/a.html", "pages/mine.txt", "findings.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("old")
    clear(tmp_path, "findings.*", "maps/*.png", "pages/*.html")
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == [
        "pages",
        "pages/mine.txt",
    ]
