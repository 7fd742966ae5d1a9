from __future__ import annotations

import errno

import pytest

from atypia import destination
from atypia.destination import claim_file, claim_folder, replacing
from atypia.errors import OutputError


def test_a_claimed_folder_is_there_and_empty(tmp_path):
    claim_folder(tmp_path / "a" / "b")
    assert not list((tmp_path / "a" / "b").iterdir())
    claim_folder(tmp_path / "a" / "b")


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
