from __future__ import annotations

from pathlib import Path

import pytest

from atypia.atomic import atomic, write_whole
from atypia.errors import OutputError


def test_the_file_appears_whole_and_alone(tmp_path: Path) -> None:
    target = tmp_path / "new" / "file.txt"
    with atomic(target) as temporary:
        temporary.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert list(target.parent.iterdir()) == [target]


def write_half(target: Path) -> None:
    with atomic(target) as temporary:
        temporary.write_text("half")
        raise KeyError


def test_an_error_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    target.write_text("old")
    with pytest.raises(KeyError):
        write_half(target)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_an_operating_system_error_names_the_file(tmp_path: Path) -> None:
    blocked = tmp_path / "file.txt"
    blocked.write_text("not a folder")
    target = blocked / "metrics.json"
    with (
        pytest.raises(OutputError, match=r"metrics\.json: could not be written"),
        atomic(target) as temporary,
    ):
        temporary.write_text("")


def test_text_and_bytes_are_written_as_they_are_whatever_the_text_holds(tmp_path: Path) -> None:
    write_whole(tmp_path / "bytes", b"\xff\r\n")
    write_whole(tmp_path / "text", "µ\n\udcff")
    assert (tmp_path / "bytes").read_bytes() == b"\xff\r\n"
    assert (tmp_path / "text").read_bytes() == "µ\n\\udcff".encode()


def test_two_threads_that_write_one_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    with atomic(target) as first, atomic(target) as second:
        first.write_text("first")
        second.write_text("second")
        assert first != second
    assert target.read_text() == "first"
    assert list(tmp_path.iterdir()) == [target]
