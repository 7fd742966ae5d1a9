from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from atypia.errors import BadTable
from atypia.evaluation.leaks import calibration_leak, demand_no_leak, leak_note, leaks_of, learned_note
from atypia.reading.collection import Collection, Row


@pytest.fixture
def rows() -> Collection:
    """A table in which patient p is learned from and tested on, r calibrates and is tested, q is neither."""

    def row(name: str, split: str, group: str | None, label: str = "normal") -> Row:
        return Row(Path(name), name, label=label, split=split, group=group)

    listed = (
        row("a", "train", "p"),
        row("b", "threshold", "r"),
        row("c", "test", "p"),
        row("d", "test", "q", "abnormal"),
        row("e", "test", None, "abnormal"),
        row("f", "tumor_test", "r", "abnormal"),
    )
    return Collection(listed, "table.csv")


def test_a_group_on_both_sides_is_a_leak(rows: Collection) -> None:
    assert (leak_note(rows) or "").startswith("LEAKS: 2 of 4 test scans belong to a group")
    assert (leak_note(rows, ("test",)) or "").startswith("LEAKS: 1 of 3 test scans")
    assert leak_note(rows.select(split="test")) is None


def test_unknown_groups_are_no_leak(rows: Collection) -> None:
    assert leak_note(replace(rows, rows=tuple(replace(row, group=None) for row in rows))) is None


def test_figures_on_what_was_learned_from_leak(rows: Collection) -> None:
    (note,) = leaks_of(rows, "train")
    assert note.startswith("LEAKS: the rows of the split train")
    (note,) = leaks_of(rows, "test")
    assert note.startswith("LEAKS: 1 of 3")
    assert not list(leaks_of(rows, "validation"))


def test_a_group_that_calibrates_and_is_learned_from_is_a_leak(rows: Collection) -> None:
    assert calibration_leak(rows) is None
    crossed = tuple(replace(row, group="p") if row.name == "b" else row for row in rows)
    assert (calibration_leak(replace(rows, rows=crossed)) or "").startswith(
        "LEAKS: 1 of 1 scans for the thre"
    )


def test_files_that_were_learned_from_are_told() -> None:
    assert learned_note(0, 9) is None
    assert (learned_note(2, 9) or "").startswith("LEAKS: 2 of 9 test scans are files")


def test_a_leak_is_refused_unless_it_is_allowed() -> None:
    demand_no_leak("t.csv", [], allow=False)
    demand_no_leak("t.csv", ["LEAKS: much."], allow=True)
    with pytest.raises(BadTable, match=r"t\.csv: .*LEAKS: much\..*--allow-leak"):
        demand_no_leak("t.csv", ["LEAKS: much."], allow=False)
