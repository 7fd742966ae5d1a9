"""The leaderboard: what its page, its JSON and its words say of known standings."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from atypia.evaluation.agreement import Agreement
from atypia.evaluation.standings import standings
from atypia.report.leaderboard import Entry, Leaderboard, _differences, _forest, write_leaderboard
from atypia.report.theme import LIGHT

RNG = np.random.default_rng(0)
LABELS = np.arange(200) < 100
GROUPS = [str(place // 2) for place in range(200)]
NOISE = RNG.normal(size=200)
GOOD, POOR = NOISE + 2.5 * LABELS, NOISE + RNG.normal(size=200) + 0.4 * LABELS


def board(scores, trivial=("trivial: size",), leaks=()):
    ranked = standings(scores, LABELS, GROUPS, trivial=trivial, resamples=200)
    costs = {"fit_seconds": 90.0, "images_per_second": 41.4, "peak_mib": 700.0, "artefact_mib": 12.0}
    figures = {"accuracy": 0.9, "sensitivity": 0.95, "specificity": 0.85, "pixel_average_precision": 0.4}
    entries = tuple(
        Entry(row, True) if row.name in trivial else Entry(row, False, figures, costs) for row in ranked.rows
    )
    best = next((row.name for row in ranked.rows if row.name in trivial), None)
    failures = (("broken", "expected <weights>, received none"),)
    return Leaderboard(
        entries,
        ranked,
        best,
        failures,
        {"split": "test of t.csv"},
        leaks,
        leaks,
        "atypia compare",
        ("Notice.",),
    )


@pytest.fixture(scope="module")
def plain():
    return board({"good": GOOD, "poor": POOR, "trivial: size": NOISE + RNG.normal(size=200)})


def test_the_figures_look_as_they_did(golden, plain):
    golden.check("leaderboard", _forest(plain.entries, LIGHT))
    golden.check("leaderboard_pairs", _differences(plain.standings.pairs, LIGHT))


def test_the_page_holds_everything_and_needs_nothing(plain, tmp_path):
    page = write_leaderboard(plain, tmp_path).read_text(encoding="utf-8")
    for words in ("Notice.", "good", "trivial: size", "0.850", "atypia compare", "expected &lt;weights&gt;"):
        assert words in page
    assert 'href="good/report.html"' in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "LEAKS" not in page
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "compare.html",
        "compare.json",
        "compare.md",
        "figures",
    ]


def test_the_json_has_the_numbers(plain, tmp_path):
    write_leaderboard(plain, tmp_path)
    values = json.loads((tmp_path / "compare.json").read_text())
    assert values["schema"] == 1
    assert values["leaks"] is False
    assert [row["name"] for row in values["rows"]] == [entry.standing.name for entry in plain.entries]
    assert values["rows"][0]["auroc"] == plain.entries[0].standing.auroc
    assert values["rows"][0]["costs"]["peak_mib"] == 700.0
    assert values["pairs"][0]["adjusted"] <= 1
    assert values["failures"] == [{"name": "broken", "error": "expected <weights>, received none"}]


def test_a_leak_marks_every_auroc(tmp_path):
    leaking = board({"good": GOOD, "trivial: size": NOISE}, leaks=("LEAKS: 3 of 9 test scans.",))
    page = write_leaderboard(leaking, tmp_path).read_text(encoding="utf-8")
    assert page.count("LEAKS") >= 4
    assert leaking.to_markdown().count("LEAKS") == 2
    assert leaking.to_dict()["leaks"] is True


def test_words_say_who_leads_and_whether_that_holds(plain):
    said = plain.verdict()
    assert said.startswith("good leads with an AUROC of 0.9")
    assert "more than chance" in said
    assert "It beats the best number that looks at no anatomy (size)." in said


def test_words_say_what_no_test_tells_apart():
    scores = {"good": GOOD, "twin": GOOD + 1e-4 * RNG.normal(size=200), "trivial: size": NOISE}
    assert "No test tells it from" in board(scores).verdict()


def test_words_say_that_the_trivial_does_better():
    said = board({"poor": POOR, "trivial: size": GOOD}).verdict()
    assert "a number that looks at no anatomy does better: size" in said
    said = board({"good": GOOD, "trivial: size": GOOD + 1e-4 * RNG.normal(size=200)}).verdict()
    assert "nothing shows that it beats" in said


def test_simulated_lesions_stand_beside_the_truth(plain, tmp_path):
    entries = tuple(
        entry if entry.trivial else replace(entry, simulated={"auroc": 0.777, "precision": 0.333})
        for entry in plain.entries
    )
    agreements = (
        Agreement("AUROC", "image AUROC", 5, 0.9, 0.8),
        Agreement("AUROC", "pixel AP", 5, 0.1, 0.0),
        Agreement("pixel AP", "pixel AP", 4, -0.2, -0.33),
    )
    tried = replace(plain, entries=entries, agreements=agreements)
    page = write_leaderboard(tried, tmp_path).read_text(encoding="utf-8")
    said = tried.agreement()
    assert "simulated AUROC with image AUROC: Spearman 0.90, Kendall 0.80 (n = 5)" in said
    assert "simulated pixel AP with pixel AP: Spearman -0.20, Kendall -0.33 (n = 4)" in said
    assert "judged kindly" in said
    assert said in page
    assert page.count("0.777") == 2
    text = (tmp_path / "compare.md").read_text()
    assert said in text
    assert "| 0.777 | 0.333 |" in text
    lines = tried.to_markdown().splitlines()
    assert len({line.count("|") for line in lines}) == 1
    assert tried.to_dict()["agreements"][0]["kendall"] == 0.8


def test_where_nothing_was_tried_nothing_is_said_of_it(plain, tmp_path):
    page = write_leaderboard(plain, tmp_path).read_text(encoding="utf-8")
    assert not plain.tried
    assert plain.agreement() == ""
    assert "imulated lesions" not in page
