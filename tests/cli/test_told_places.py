"""What commands leave travels further than the files do: nowhere in it stands the way to a folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from atypia.reading.collection import read_collection


@pytest.fixture(scope="module")
def table(phantom_table, tmp_path_factory) -> Path:
    """The table of a phantom in which one picture and one mask of the test cannot be read."""
    folder = tmp_path_factory.mktemp("of") / "Jane Doe" / "scans"
    shutil.copytree(phantom_table.parent, folder)
    test = read_collection(folder / "table.csv").select(split="test")
    healthy, ill = test.select(label="normal").rows[0], test.select(label="abnormal").rows[0]
    assert ill.mask is not None
    for file in (healthy.path, ill.mask):
        file.write_bytes(b"broken")
    return folder / "table.csv"


@pytest.fixture(scope="module")
def left(atypia, nearest_file, table) -> dict[str, str]:
    """The text of every file that the commands left, by its name."""
    model, out = table.parent / "brain.atypia", table.parents[1] / "out"
    shutil.copy(nearest_file, model)
    commands = (
        ("evaluate", model, table, "-o", out / "evaluated", "--record"),
        ("audit", table, "-o", out / "audited", "--skip", "strangers"),
        ("card", model, "--audit", out / "audited" / "audit.json", "-o", out / "card.md"),
        ("score", model, table.parent / "healthy", "-o", out / "scored", "--format", "jsonl"),
        ("monitor", out / "scored" / "findings.jsonl", "--window", 10, "-o", out / "watched"),
    )
    codes = [atypia(*command).code for command in commands]
    assert codes == [1, 1, 0, 1, 0]
    texts = [path for path in out.rglob("*") if path.is_file() and path.suffix != ".png"]
    return {path.relative_to(out).as_posix(): path.read_text(encoding="utf-8") for path in texts}


def test_all_pages_cards_and_tables_are_there(left):
    assert set(left) >= {
        "audited/audit.html",
        "audited/audit.json",
        "card.md",
        "evaluated/findings.csv",
        "evaluated/metrics.json",
        "evaluated/model-card.md",
        "evaluated/report.html",
        "scored/findings.jsonl",
        "watched/monitor.html",
        "watched/monitor.json",
    }


def test_no_way_to_a_folder_stands_anywhere(left, table):
    folders = (str(table.parents[2]), "Jane Doe")
    assert [name for name, text in left.items() if any(folder in text for folder in folders)] == []


@pytest.mark.parametrize(
    "name", ["audited/audit.html", "audited/audit.json", "evaluated/report.html", "evaluated/metrics.json"]
)
def test_the_names_of_the_table_and_of_what_is_broken_stand_there(left, name):
    assert "table.csv" in left[name]
    assert ".png: expected a JPEG, PNG, TIFF, BMP or WebP picture" in left[name]


def test_the_user_at_the_terminal_is_told_the_whole_way(atypia, nearest_file, table, tmp_path):
    outcome = atypia("evaluate", nearest_file, table, "--split", "validation", "-o", tmp_path / "out")
    assert outcome.code == 2
    assert str(table) in outcome.err
