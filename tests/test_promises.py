"""The pages of promises and of faults: every test named there runs, and README promises nothing beyond."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/explanation/promises.md").read_text(encoding="utf-8")
FAULTS = (ROOT / "docs/explanation/faults.md").read_text(encoding="utf-8")
PLACES = ("fit", "score", "serve", "Ray")


def rows_of(page: str) -> list[list[str]]:
    return [line.split(" | ") for line in page.splitlines() if line.startswith("| ") and "::" in line]


ROWS = rows_of(PAGE)
STRUCK = [(part.partition("\n")[0], row) for part in FAULTS.split("\n## ")[1:] for row in rows_of(part)]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
PINNED = re.compile(r"xfail|mark\.skip\b|real_data")


@cache
def functions_of(path: Path) -> dict[str, str]:
    """Return the tests of a file by name, each with its decorators and arguments as text."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {
        node.name: " ".join(ast.unparse(part) for part in (*node.decorator_list, node.args))
        for node in found
        if node.name.startswith("test_")
    }


@pytest.mark.parametrize("row", ROWS, ids=[row[0].strip("| ")[:60] for row in ROWS])
def test_every_promise_is_held_by_tests_that_run(row: list[str]) -> None:
    assert len(row) == 2
    named = NAMED.findall(row[1])
    assert named
    assert len(named) == row[1].count("::")
    assert len(set(named)) == len(named)
    for file, name in named:
        assert (ROOT / file).is_file(), file
        assert name in functions_of(ROOT / file), f"{file}::{name}"
        assert not PINNED.search(functions_of(ROOT / file)[name]), f"{file}::{name} need not run"


@pytest.mark.parametrize(
    ("fault", "row"), STRUCK, ids=[f"{row[0].strip('| ')}-{fault}"[:60] for fault, row in STRUCK]
)
def test_every_fault_is_survived_by_tests_that_run(fault: str, row: list[str]) -> None:
    place, told, tests = row
    assert told.endswith("."), fault
    test_every_promise_is_held_by_tests_that_run([place, tests])


def test_every_fault_is_tried_at_every_place() -> None:
    faults = [part.partition("\n")[0] for part in FAULTS.split("\n## ")[1:]]
    assert faults[-1] == "What is not defended"
    assert [(fault, row[0].strip("| ")) for fault, row in STRUCK] == [
        (fault, place) for fault in faults[:-1] for place in PLACES
    ]
    assert len(faults) > 10


def test_the_page_says_much() -> None:
    assert len(ROWS) > 40
    assert len({row[0] for row in ROWS}) == len(ROWS)


def test_what_readme_holds_to_stands_here_word_for_word() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    part = readme.partition("## What it holds to")[2].partition("\n## ")[0]
    bullets = [" ".join(bullet.split()) for bullet in re.findall(r"^- (.+(?:\n  .+)*)", part, re.MULTILINE)]
    assert len(bullets) >= 8
    promised = {row[0].strip("| ") for row in ROWS}
    assert [bullet for bullet in bullets if bullet not in promised] == []


def test_a_test_that_is_gone_is_seen() -> None:
    with pytest.raises(AssertionError):
        test_every_promise_is_held_by_tests_that_run(["| x", "`tests/test_pins.py::test_gone` |"])
