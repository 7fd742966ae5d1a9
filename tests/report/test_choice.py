"""The page of a choice: what it, its JSON and its words say of known candidates."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from atypia.report.choice import CRITERIA, Candidate, ChoicePage, _dots, standard_error, write_choice
from atypia.report.theme import LIGHT

COSTS = {"fit_seconds": 90.0, "images_per_second": 41.4, "peak_mib": 700.0, "artefact_mib": 12.0}
PAGE = ChoicePage(
    candidates=(
        Candidate("patchcore-scales=3", 0.93, 0.93, 0.41, COSTS),
        Candidate("nearest", 0.92, 0.92, 0.2, {**COSTS, "peak_mib": None}),
        Candidate("atlas", 0.6, 0.6, 0.1, COSTS),
    ),
    by="auroc",
    tried=60,
    failures=(("broken", "expected <weights>, received none"),),
    facts={"healthy scans learned from": 200},
    command="atypia choose healthy",
    notices=("Notice.",),
)


def test_the_page_holds_everything_and_needs_nothing(tmp_path):
    page = write_choice(PAGE, tmp_path).read_text(encoding="utf-8")
    for words in ("Notice.", "patchcore-scales=3", "0.930", "atypia choose", "expected &lt;weights&gt;"):
        assert words in page
    assert "judged kindly" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["choice.html", "choice.json", "figures"]


@pytest.mark.parametrize("by", list(CRITERIA))
def test_the_json_and_the_table_have_the_numbers(tmp_path, by):
    page = replace(PAGE, by=by)
    write_choice(page, tmp_path)
    values = json.loads((tmp_path / "choice.json").read_text())
    assert (values["schema"], values["by"], values["chosen"]) == (1, by, "patchcore-scales=3")
    assert [one["place"] for one in values["candidates"]] == [1, 2, 3]
    assert values["candidates"][1]["costs"]["peak_mib"] is None
    assert values["failures"] == [{"name": "broken", "error": "expected <weights>, received none"}]
    lines = page.to_markdown().splitlines()
    assert len({line.count("|") for line in lines}) == 1
    assert lines[2].startswith("| 1 patchcore-scales=3 | 0.930 |")
    assert lines[-1].startswith("| broken | failed |")


def test_words_say_who_is_chosen_and_who_is_as_good_within_chance():
    said = PAGE.verdict()
    assert said.startswith("patchcore-scales=3 is chosen")
    assert "On 60 scans that AUROC has a standard error of about 0.02" in said
    assert "Within it: nearest;" in said
    assert "atlas" not in said


def test_the_standard_error_is_that_of_the_paper():
    """Hanley and McNeil 1982: an area of 0.893 with 58 normal and 51 abnormal cases has 0.032."""
    assert standard_error(0.893, 54) == pytest.approx(0.032, abs=0.001)
    assert standard_error(1.0, 10) == 0
    assert standard_error(0.5, 10) > standard_error(0.5, 1000)


def test_the_figure_has_a_row_for_each():
    axes = _dots(PAGE, LIGHT).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "atlas",
        "nearest",
        "patchcore-scales=3",
    ]
    long = replace(PAGE, candidates=(replace(PAGE.candidates[0], name="x" * 90),))
    assert len(_dots(long, LIGHT).axes[0].get_yticklabels()[0].get_text()) == 46
