"""The model card says what is in the artefact and in what was recorded, and nothing else."""

from __future__ import annotations

import json

import pytest

from atypia.errors import BadOption
from atypia.report.model_card import KEPT, model_card, record_audit, record_evaluation, to_markdown
from atypia.screener import Screener

ENDS = {"auroc": [0.8, 0.95], "average_precision": [None, None]}
METRICS = {
    "atypia": "0.1.0",
    "leaks": False,
    "cautions": ["Mind the gap."],
    "image": {
        "auroc": 0.9,
        "average_precision": 0.85,
        "sensitivity": 0.7,
        "specificity": 0.96,
        "false_alarm_rate": 0.04,
        "sensitivity_at_5": None,
        "intervals": ENDS,
        "counts": {"normal": 60, "abnormal": 40, "unfit": 2, "unreadable": 1},
        "threshold": 0.5,
    },
    "pixel": None,
    "baselines": {"best": "bytes_per_pixel", "of": {"bytes_per_pixel": {"auroc": 0.92, "beaten": False}}},
    "resampling": {"groups": 33},
    "p_values": {"kept": False},
    "provenance": {"source": "/home/someone/secret/table.csv"},
}
AUDIT = {
    "source": "/home/someone/scans",
    "counts": {"scans": 99},
    "verdicts": [{"severity": "invalid", "title": "Copies", "text": "12 clusters."}],
}


@pytest.fixture
def screener(nearest_file):
    return Screener.load(nearest_file)


def text_of(screener):
    return to_markdown(model_card(screener))


def test_a_new_screener_says_that_nothing_was_measured(screener):
    text = text_of(screener)
    for said in ("Nothing is recorded", "No audit of these scans", "never measured", "Research use only"):
        assert said in text
    assert "| detector | nearest |" in text
    assert "| healthy scans learned from | 24 |" in text


def test_what_was_measured_stands_there_with_its_interval(screener):
    record_evaluation(screener, METRICS)
    text = text_of(screener)
    assert "## Measured on table.csv" in text
    assert "| AUROC | 0.900 (0.800 to 0.950) |" in text
    assert "| average precision | 0.850 |" in text
    assert "sensitivity at 5 %" not in text
    assert "60 normal and 40 abnormal scans in 33 groups; 2 unfit, 1 unreadable." in text
    assert "bytes per pixel (AUROC 0.920), is NOT beaten" in text
    assert "do not keep what the calibration promised" in text
    assert "Mind the gap." in text
    assert "fewer than 50 abnormal scans" in text
    assert "someone" not in text


def test_a_leak_marks_every_figure(screener):
    record_evaluation(screener, METRICS | {"leaks": True})
    text = text_of(screener)
    assert "## LEAKS: Measured on table.csv" in text
    assert "| AUROC | LEAKS: 0.900" in text


def test_the_same_evaluation_is_kept_once_and_only_so_many_at_all(screener):
    record_evaluation(screener, METRICS)
    record_evaluation(screener, METRICS)
    assert len(screener.records["evaluations"]) == 1
    for number in range(2 * KEPT):
        record_evaluation(screener, METRICS | {"provenance": {"source": f"{number}.csv"}})
    kept = [entry["source"] for entry in screener.records["evaluations"]]
    assert kept == [f"{number}.csv" for number in range(KEPT, 2 * KEPT)]


def test_the_audit_stands_there_by_its_verdicts(screener):
    record_audit(screener, AUDIT)
    text = text_of(screener)
    assert "- Audited: 99 scans of scans." in text
    assert "- invalid: Copies. 12 clusters." in text


def test_records_return_with_the_file_and_change_no_score(screener, tmp_path):
    record_evaluation(screener, METRICS)
    screener.save(tmp_path / "a.atypia")
    again = Screener.load(tmp_path / "a.atypia")
    assert again.records == json.loads(json.dumps(screener.records))
    assert again.threshold_.value == screener.threshold_.value
    assert text_of(again) == text_of(screener)


def test_a_screener_that_was_not_fitted_has_no_card():
    with pytest.raises(BadOption, match="not been fitted"):
        model_card(Screener())


def test_the_command_prints_records_and_refuses_other_files(atypia, nearest_file, tmp_path):
    model = tmp_path / "m.atypia"
    model.write_bytes(nearest_file.read_bytes())
    (tmp_path / "metrics.json").write_text(json.dumps(METRICS))
    outcome = atypia("card", model, "--evaluation", tmp_path / "metrics.json")
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("# Model card of m.atypia\n")
    assert "Measured on table.csv" in atypia("card", model).out
    assert atypia("card", model, "-o", tmp_path / "card.md").code == 0
    assert (tmp_path / "card.md").read_text() == atypia("card", model).out
    (tmp_path / "other.json").write_text("[]")
    for name in ("other.json", "nowhere.json"):
        refused = atypia("card", model, "--audit", tmp_path / name)
        assert refused.code == 2
        assert "expected the audit.json of 'atypia audit'" in refused.err


def test_a_choice_without_labels_is_told(screener):
    assert "Chosen among" not in to_markdown(model_card(screener))
    screener.records["choice"] = {"by": "AUROC of simulated lesions", "candidates": 4}
    told = to_markdown(model_card(screener))
    del screener.records["choice"]
    assert "Chosen among 4 candidates on other healthy scans, without labels, by the AUROC" in told


def test_an_adapted_encoder_is_told(screener, monkeypatch):
    assert "| encoder | efficientnet-lite0, frozen, up to stage8, stage16 |" in text_of(screener)
    card = screener.card()
    card["encoder"]["name"] += ", adapted"
    card["detector"]["adapt"] = 100
    monkeypatch.setattr(Screener, "card", lambda _: card)
    told = "adapted in 100 steps to the healthy scans, without labels, up to stage8, stage16"
    assert f"| encoder | efficientnet-lite0, {told} |" in text_of(screener)
