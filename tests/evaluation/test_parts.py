"""Strata, groups, p-values, what is unfit, and figures that say little."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from atypia.errors import BadTable
from atypia.evaluation.evaluation import Evaluation, evaluate
from atypia.evaluation.image_metrics import ImageMetrics
from atypia.evaluation.intervals import auroc_interval, perfect_precision_interval, share_interval
from atypia.evaluation.p_value_metrics import PValueMetrics
from atypia.evaluation.verdicts import Verdicts
from atypia.reading.collection import Collection, Row
from atypia.scan import Finding

THRESHOLD = 1.0


def table(count: int = 60) -> Collection:
    """Ten patients without and ten with abnormal scans, three slices each; planes and scanners differ."""

    def row(place: int) -> Row:
        abnormal = place >= count // 2 and place % 3 != 0
        return Row(
            Path(f"{place}.png"),
            f"{place}.png",
            label="abnormal" if abnormal else "normal",
            group=f"p{place // 3}",
            plane=("axial", "coronal", "sagittal")[place % 3],
            sequence="FLAIR" if place % 2 else None,
            scanner="lone" if place == 0 else "usual",
        )

    return Collection(tuple(row(place) for place in range(count)), "table.csv")


def findings(collection: Collection, seed: int = 3) -> list[Finding]:
    rng = np.random.default_rng(seed)
    found = []
    for row in collection:
        score = float(rng.normal(1.7 if row.label == "abnormal" else 0.2, 0.6))
        found.append(
            Finding(row.name, score, float(np.clip(1 - score, 0.01, 1)), score > THRESHOLD, THRESHOLD)
        )
    return found


def measure(collection: Collection, found: list[Finding], **options: object) -> Evaluation:
    chosen: dict[str, object] = {"baselines": False, "resamples": 100, **options}
    measured = evaluate(found, collection, **chosen)  # type: ignore[arg-type]
    values = measured.to_dict()
    schema = json.loads(
        files("atypia.evaluation").joinpath("metrics.schema.json").read_text(encoding="utf-8")
    )
    jsonschema.validate(json.loads(json.dumps(values, allow_nan=False)), schema)
    return measured


def test_strata_stand_on_their_own_scans() -> None:
    collection = table()
    measured = measure(collection, findings(collection))
    axial, coronal, sagittal = measured.strata["plane"]
    assert (axial.name, axial.normal, axial.abnormal, axial.image) == ("axial", 20, 0, None)
    assert (coronal.normal, coronal.abnormal) == (sagittal.normal, sagittal.abnormal) == (10, 10)
    assert coronal.image is not None
    low, high = coronal.image.interval("auroc")
    assert low <= coronal.image.auroc <= high
    assert [stratum.name for stratum in measured.strata["sequence"]] == ["FLAIR"]
    assert measured.strata["kind"] == ()


def test_a_stratum_of_one_scan_or_one_label_has_counts_alone() -> None:
    collection = table()
    values = measure(collection, findings(collection)).to_dict()
    assert values["by_scanner"]["lone"] == {
        "scans": {"normal": 1, "abnormal": 0, "unreadable": 0, "unfit": 0},
        "own_normals": True,
        "image": None,
    }
    assert values["by_plane"]["axial"]["image"] is None


def test_groups_are_judged_by_their_most_abnormal_scan() -> None:
    collection = table()
    found = findings(collection)
    group = measure(collection, found).group
    assert group is not None
    assert (group.image.confusion.normal, group.image.confusion.abnormal) == (10, 10)
    assert group.scans == (3, 3.0, 3)
    highest = [max(finding.score for finding in found[place : place + 3]) for place in range(0, 60, 3)]
    assert group.image.confusion.false_positive == sum(score > THRESHOLD for score in highest[:10])
    pairs = [(low < high) + (low == high) / 2 for low in highest[:10] for high in highest[10:]]
    assert group.image.auroc == pytest.approx(np.mean(pairs))


def test_without_several_scans_of_a_group_there_is_no_group_level() -> None:
    collection = table()
    alone = tuple(replace(row, group=row.name) for row in collection)
    found = findings(collection)
    assert measure(replace(collection, rows=alone), found).group is None
    assert measure(collection, found, by_group=False).group is None
    partly = (replace(collection.rows[0], group=None), *collection.rows[1:])
    assert measure(replace(collection, rows=partly), found).group is None


def test_unfit_scans_are_counted_by_label_and_in_no_other_figure() -> None:
    collection = table()
    found = findings(collection)
    without = measure(collection, found[1:-1])
    found[0] = replace(found[0], unfit="a CT, not an MRI", flagged=None)
    found[-1] = replace(found[-1], unfit="a CT, not an MRI", flagged=None, score=1e9)
    measured = measure(collection, found)
    assert measured.image.figures == without.image.figures
    assert (measured.image.unfit, measured.image.unreadable) == (2, 0)
    normal, abnormal = 40, 20
    assert measured.to_dict()["unfit"] == {
        "normal": 1,
        "abnormal": 1,
        "share_of_normal": 1 / normal,
        "share_of_abnormal": 1 / abnormal,
    }
    lone, usual = measured.strata["scanner"]
    assert (lone.normal, lone.unfit, lone.image, usual.unfit) == (0, 1, None, 1)


def test_all_unfit_is_refused_with_the_reason() -> None:
    collection = table()
    found = [replace(finding, unfit="a CT", flagged=None) for finding in findings(collection)]
    with pytest.raises(BadTable, match=r"60 are unfit to be judged.*a CT"):
        measure(collection, found)


def test_strata_may_have_thresholds_of_their_own() -> None:
    collection = table()
    found = [
        replace(
            finding, stratum=row.plane, threshold={"axial": 1.0, "coronal": 1.1}.get(row.plane or "", 0.9)
        )
        for row, finding in zip(collection, findings(collection), strict=True)
    ]
    measured = measure(collection, found)
    assert math.isnan(measured.image.threshold)
    assert measured.to_dict()["image"]["threshold"] is None
    found[0] = replace(found[0], threshold=2.0)
    with pytest.raises(BadTable, match="expected findings at one threshold"):
        measure(collection, found)


def test_equal_scores_are_a_guess_and_told() -> None:
    collection = table()
    measured = measure(collection, [replace(finding, score=0.5) for finding in findings(collection)])
    assert measured.image.auroc == 0.5
    assert measured.image.interval("auroc") == (0.5, 0.5)
    assert "All scores are equal" in measured.cautions[0]


def test_one_group_has_figures_without_intervals_and_is_told() -> None:
    collection = table()
    one = replace(collection, rows=tuple(replace(row, group="p") for row in collection))
    measured = measure(one, findings(collection))
    assert 0.5 < measured.image.auroc < 1
    assert all(math.isnan(low) for low, _ in measured.image.intervals.values())
    assert "All judged scans are of one group" in measured.cautions[0]


def test_one_group_of_a_label_is_told_and_costs_its_intervals() -> None:
    rows = tuple(
        replace(row, group="lone" if row.label == "abnormal" else f"n{place}")
        for place, row in enumerate(table())
    )
    collection = replace(table(), rows=rows)
    measured = measure(collection, findings(collection))
    assert "The abnormal scans are of one group" in measured.cautions[0]
    assert math.isnan(measured.image.interval("sensitivity")[0])
    assert math.isfinite(measured.image.interval("specificity")[0])


@pytest.mark.parametrize("label", ["normal", "abnormal"])
def test_one_label_is_told(label: str) -> None:
    chosen = table().select(label=label)
    measured = measure(chosen, findings(chosen))
    assert f"All judged scans are {label}" in measured.cautions[0]
    assert math.isnan(measured.image.auroc)
    assert math.isfinite(measured.image.interval("accuracy")[0])


def test_scores_that_are_nan_are_unreadable_and_in_no_figure() -> None:
    collection = table()
    found = findings(collection)
    without = measure(collection, found[1:])
    found[0] = replace(found[0], score=math.nan)
    measured = measure(collection, found)
    assert measured.image.figures == without.image.figures
    assert measured.image.unreadable == 1
    with pytest.raises(BadTable, match="60 could not be judged"):
        measure(collection, [replace(finding, score=math.nan) for finding in found])


def test_perfect_figures_keep_an_interval_that_counts_groups() -> None:
    collection = table()
    found = [
        replace(finding, score=float(row.label == "abnormal"), flagged=row.label == "abnormal", threshold=0.5)
        for row, finding in zip(collection, findings(collection), strict=True)
    ]
    image = measure(collection, found).image
    assert image.auroc == image.confusion.sensitivity == 1
    assert image.interval("auroc") == auroc_interval(1.0, 10, 20)
    assert image.interval("sensitivity") == share_interval(10, 10)
    assert image.interval("specificity") == share_interval(20, 20)
    assert image.interval("false_alarm_rate") == share_interval(0, 20)
    assert image.interval("average_precision") == perfect_precision_interval(10, 20, 20 / 60)


def test_false_alarms_stand_beside_what_was_asked_for() -> None:
    collection = table()
    image = measure(collection, findings(collection), alpha=0.05).image
    assert image.alpha == 0.05
    assert image.false_alarm_rate == pytest.approx(image.confusion.false_positive / 40)
    assert image.false_alarm_binomial == share_interval(image.confusion.false_positive, 40)


def healthy(p_values: np.ndarray) -> Verdicts:
    count = len(p_values)
    none = np.zeros(count, bool)
    return Verdicts(tuple(map(str, range(count))), (None,) * count, 1 - p_values, p_values, none, none)


def test_p_values_that_are_uniform_keep_their_word(rng: np.random.Generator) -> None:
    broken = 0
    for _ in range(100):
        scores = np.sort(rng.normal(size=80))
        tested = rng.normal(size=60)
        p_values = (1 + (scores[None] >= tested[:, None]).sum(axis=1)) / 81
        measured = PValueMetrics.of(healthy(p_values), 80)
        assert measured is not None
        broken += not measured.kept
    assert broken <= 5


def test_p_values_of_unlike_scans_are_too_small(rng: np.random.Generator) -> None:
    measured = PValueMetrics.of(healthy(rng.random(200) ** 2), 1000)
    assert measured is not None
    assert not measured.kept
    assert measured.excess > 0.2
    assert measured.shares[1] == pytest.approx(0.22, abs=0.08)
    assert measured.shortfall < 0.05


def test_p_value_figures_are_those_of_a_plain_count() -> None:
    p_values = np.array([0.05, 0.1, 0.1, 0.5, 1.0])
    measured = PValueMetrics.of(healthy(p_values), 19)
    assert measured is not None
    assert measured.shares == (0.0, 0.2, 0.6)
    assert measured.excess == pytest.approx(0.5)  # three of five at 0.1
    assert measured.shortfall == pytest.approx(1.0 - 0.05 - 0.8)
    assert measured.band == pytest.approx(math.sqrt(math.log(40) / (2 * 5 * 19 / 24)))


def test_without_normal_scans_there_are_no_p_values() -> None:
    chosen = table().select(label="abnormal")
    assert measure(chosen, findings(chosen)).p_values is None


def test_without_resamples_there_are_figures_and_no_intervals() -> None:
    collection = table()
    measured = measure(collection, findings(collection), resamples=0)
    assert measured.image.intervals == {}
    assert math.isnan(measured.image.interval("auroc")[0])


def test_sensitivities_at_a_rate_are_readings_of_the_roc() -> None:
    scores = np.concatenate([np.arange(20.0), np.arange(20.0) + 17.5])
    labels = np.arange(40) >= 20
    image = ImageMetrics.of(
        Verdicts(tuple(map(str, range(40))), (None,) * 40, scores, scores, labels, labels), 1.0
    )
    assert image.sensitivity_at == {0.01: 0.9, 0.05: 0.95, 0.10: 1.0}
