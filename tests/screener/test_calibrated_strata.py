"""Groups and strata of the calibration scans, from the scans that are fitted to the findings."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from atypia.artefact import read_artefact
from atypia.errors import BadOption, NotEnoughScans
from atypia.screener import Screener
from atypia.screener.origin import columns_of, how_taken
from atypia.threshold import Threshold

RULE = {"rule": "conformal", "parameter": 0.2}


@pytest.fixture
def taken(scans):
    """Thirty heads of their own, of which every sixth is coronal."""
    return [
        replace(
            scan, group=None, plane="coronal" if place % 6 == 0 else "axial", scanner=f"scanner {place % 2}"
        )
        for place, scan in enumerate(scans)
    ]


def test_findings_have_the_threshold_of_their_stratum(make, taken):
    screener = make(**RULE, strata=("plane",)).fit(taken[:20], calibration=taken[16:])
    found = list(screener.score(taken))
    axial = [finding for finding, scan in zip(found, taken, strict=True) if scan.plane == "axial"]
    coronal = [finding for finding, scan in zip(found, taken, strict=True) if scan.plane == "coronal"]
    assert {finding.stratum for finding in axial} == {"plane=axial"}
    assert {finding.stratum for finding in coronal} == {"pooled (plane=coronal has 2 of 4 scans needed)"}
    part = screener.threshold_.parts["plane=axial"]
    assert {finding.threshold for finding in axial} == {part.value}
    assert {finding.threshold for finding in coronal} == {screener.threshold_.value}
    assert [finding.p_value for finding in axial] == [part.p_values(finding.score) for finding in axial]
    assert all(finding.flagged == (finding.p_value <= 0.2) for finding in found)


def test_strata_can_be_chosen_after_the_fit_and_scores_stay(make, taken):
    screener = make().fit(taken[:20], calibration=taken[16:])
    apart = screener.with_threshold("conformal", 0.2, ["scanner"])
    assert list(apart.threshold_.parts) == ["scanner=scanner 0", "scanner=scanner 1"]
    assert [f.score for f in apart.score(taken)] == [f.score for f in screener.score(taken)]
    assert apart.with_threshold("quantile", 0.5).strata == ("scanner",)
    assert apart.with_threshold("quantile", 0.5, ()).threshold_.parts == {}


def test_groups_of_the_calibration_count(make, scans):
    screener = make(rule="conformal", parameter=0.3).fit(scans[:20], calibration=scans[18:])
    assert (len(screener.threshold_.healthy), screener.threshold_.calibration.group_count) == (12, 4)
    with pytest.raises(NotEnoughScans, match=r"at least 9 groups .* received 4 with 12 scans"):
        screener.with_threshold("conformal", 0.1)


def test_too_few_groups_are_refused_before_the_detector_learns(make, scans):
    screener = make(rule="conformal", parameter=0.01)
    with pytest.raises(NotEnoughScans, match="at least 99 groups"):
        screener.fit(scans)
    assert screener.detector.seen is None


def test_scans_that_cannot_be_read_do_not_shift_groups(make, folder, spoil):
    whole = make().fit(folder, calibration=folder, seed=1)
    spoilt = make().fit(folder, calibration=spoil(folder, {0, 1, 2, 7}), seed=1)
    assert (whole.threshold_.calibration.group_count, spoilt.threshold_.calibration.group_count) == (10, 9)
    expected = Threshold.learn(
        [finding.score for place, finding in enumerate(spoilt.score(folder)) if place not in {0, 1, 2, 7}],
        groups=[row.group for place, row in enumerate(folder) if place not in {0, 1, 2, 7}],
    )
    asked = np.linspace(expected.healthy[0], expected.healthy[-1], 50)
    assert spoilt.threshold_.p_values(asked) == pytest.approx(expected.p_values(asked), abs=1e-9)


def test_strata_that_there_are_not_are_refused(make, scans):
    with pytest.raises(BadOption, match="out of plane, sequence, scanner; received kind"):
        make(strata=("kind",))
    with pytest.raises(BadOption, match="expected each once"):
        make(strata=("plane", "plane"))
    with pytest.raises(BadOption, match="Strata by plane: expected a plane"):
        make(strata=("plane",)).fit(scans)


def test_a_saved_screener_keeps_groups_and_strata_but_no_names(nearest, taken, tmp_path):
    scores = np.arange(30.0)
    threshold = Threshold.learn(
        scores,
        "conformal",
        0.2,
        groups=[f"Jane Doe {place}" for place in range(30)],
        taken=columns_of(taken),
        strata=["plane"],
    )
    file = tmp_path / "brain.atypia"
    replace(nearest, threshold_=threshold, rule="conformal", parameter=0.2, strata=("plane",)).save(file)
    loaded = Screener.load(file)
    assert loaded.strata == ("plane",)
    assert loaded.threshold_.to_dict() == threshold.to_dict()
    assert "Jane" not in json.dumps(read_artefact(file).head)
    assert loaded.card()["threshold"]["strata"].keys() == {"plane=axial", "plane=coronal", "others"}


def test_how_a_scan_was_taken_is_told_of_rows_and_scans_alike(taken, folder):
    assert how_taken(taken[0]) == {"plane": "coronal", "sequence": None, "scanner": "scanner 0"}
    assert set(how_taken(folder.rows[0]).values()) == {None}
    assert columns_of(folder.rows) == {}
    assert set(columns_of(taken)) == {"plane", "scanner"}
