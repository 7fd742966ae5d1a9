"""A threshold for each stratum that has enough healthy scans, and one for all others."""

from __future__ import annotations

import json

import numpy as np
import pytest

from atypia.errors import BadOption
from atypia.threshold import Threshold
from atypia.threshold.guarantee import guarantee

PLANES = ["axial"] * 60 + ["coronal"] * 40 + ["sagittal"] * 7 + [None] * 3
SEQUENCES = ["T1", "FLAIR"] * 55


@pytest.fixture
def threshold(rng) -> Threshold:
    """Coronal scores are 10 higher than others."""
    scores = rng.normal(size=110) + 10.0 * np.equal(PLANES, "coronal")
    return Threshold.learn(
        scores, "conformal", 0.05, taken={"plane": PLANES, "sequence": SEQUENCES}, strata=("plane",)
    )


def test_a_stratum_has_the_threshold_of_its_own_scans(threshold):
    for plane in ("axial", "coronal"):
        part, stratum = threshold.for_scan({"plane": plane})
        assert stratum == f"plane={plane}"
        own = threshold.healthy[np.equal(threshold.calibration.taken["plane"], plane)]
        assert part.value == Threshold.learn(own, "conformal", 0.05).value
        assert part.p_values(5.0) == (1 + np.sum(own >= 5.0)) / (1 + len(own))
    assert (
        threshold.for_scan({"plane": "axial"})[0].value
        < 5
        < threshold.for_scan({"plane": "coronal"})[0].value
    )


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"plane": "sagittal"}, "pooled (plane=sagittal has 7 of 19 scans needed)"),
        ({"plane": "oblique"}, "pooled (plane=oblique has 0 of 19 scans needed)"),
        ({"plane": None}, "pooled (plane not known)"),
        ({}, "pooled (plane not known)"),
    ],
)
def test_others_share_the_threshold_of_all_and_say_why(threshold, how, told):
    assert threshold.for_scan(how) == (threshold, told)


def test_without_strata_there_is_none_to_tell(threshold):
    plain = Threshold.of(threshold.calibration, "conformal", 0.05)
    assert plain.for_scan({"plane": "axial"}) == (plain, None)
    assert plain.parts == {}


def test_strata_may_be_joint(threshold):
    joint = Threshold.of(threshold.calibration, "conformal", 0.05, ("plane", "sequence"))
    assert list(joint.parts) == [
        "plane=axial, sequence=FLAIR",
        "plane=axial, sequence=T1",
        "plane=coronal, sequence=FLAIR",
        "plane=coronal, sequence=T1",
    ]
    assert joint.for_scan({"plane": "axial"})[1] == "pooled (sequence not known)"


def test_a_stratum_of_one_scan_falls_back_under_every_rule(rng):
    planes = ["axial"] * 29 + ["coronal"]
    for rule in ("mean+std", "quantile"):
        threshold = Threshold.learn(rng.normal(size=30), rule, taken={"plane": planes}, strata=["plane"])
        assert threshold.for_scan({"plane": "coronal"})[1] == "pooled (plane=coronal has 1 of 5 scans needed)"
        assert threshold.for_scan({"plane": "axial"})[1] == "plane=axial"


def test_groups_are_what_a_stratum_needs(rng):
    threshold = Threshold.learn(
        rng.normal(size=80),
        "conformal",
        0.1,
        groups=np.arange(80) // 4,
        taken={"plane": ["axial"] * 60 + ["coronal"] * 20},
        strata=["plane"],
    )
    assert threshold.for_scan({"plane": "coronal"})[1] == "pooled (plane=coronal has 5 of 9 groups needed)"


@pytest.mark.parametrize("plane", [0, 1])
def test_each_stratum_keeps_the_rate_where_one_for_all_does_not(rng, plane):
    alpha, rounds = 0.1, 1000
    error = 3 * np.sqrt(alpha * (1 - alpha) / rounds)
    planes = ["axial", "coronal"] * 30
    shift = np.array([0.0, 1.5] * 30)
    apart, together = [], []
    for _ in range(rounds):
        threshold = Threshold.learn(
            rng.normal(size=60) + shift, "conformal", alpha, taken={"plane": planes}, strata=["plane"]
        )
        new = rng.normal() + shift[plane]
        apart.append(threshold.for_scan({"plane": planes[plane]})[0].flags(new))
        together.append(threshold.flags(new))
    assert np.mean(apart) <= alpha + error
    assert (np.mean(together) > alpha + error) == (plane == 1)


def test_strata_come_back_from_json(threshold):
    back = Threshold.from_dict(json.loads(json.dumps(threshold.to_dict())))
    assert back.to_dict() == threshold.to_dict()
    assert {name: part.value for name, part in back.parts.items()} == {
        name: part.value for name, part in threshold.parts.items()
    }


def test_strata_that_no_healthy_scan_has_are_refused(threshold):
    with pytest.raises(BadOption, match=r"Strata by scanner: expected a scanner .* received none"):
        Threshold.of(threshold.calibration, "conformal", 0.05, ("scanner",))


def test_the_card_and_the_promise_tell_of_strata(threshold):
    assert list(threshold.card()["strata"]) == ["plane=axial", "plane=coronal", "others"]
    assert "in each stratum" in guarantee(threshold)
    assert "strata" not in Threshold.of(threshold.calibration, "conformal", 0.05).card()
