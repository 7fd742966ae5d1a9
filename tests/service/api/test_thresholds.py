"""Another threshold: what it would do is what it does, on every stored finding."""

from __future__ import annotations

import numpy as np
import pytest

from atypia.screener import Screener as Loaded
from atypia.service.store import deciding, models, thresholds
from atypia.service.store.models import Finding, Job, Screener
from atypia.threshold import Threshold
from atypia.threshold.healthy import HealthyScores

SCREENERS = "/api/v1/screeners"


@pytest.fixture
def spread(screener, add_finding):
    """Findings whose scores lie around the healthy ones, decided as the Screener does."""
    threshold = thresholds.threshold_of(screener)
    low, high = threshold.healthy[0], threshold.healthy[-1]
    scores = np.linspace(low - (high - low) / 10, high + (high - low) / 5, 30)
    return [
        add_finding(
            score=score,
            p_value=float(threshold.p_values([score])[0]),
            flagged=bool(score > threshold.value),
            verdict="abnormal" if score > threshold.value else "normal",
        )
        for score in scores.tolist()
    ]


def all_of(store):
    with store.session() as session:
        return {row.id: row for row in session.query(Finding)}


def test_healthy_scores_are_told(client, screener):
    told = client.get(f"{SCREENERS}/{screener.id}/healthy").json()
    threshold = thresholds.threshold_of(screener)
    assert told["scores"] == threshold.healthy.tolist()
    assert (told["threshold"], told["rule"], told["count"]) == (
        threshold.value,
        threshold.rule,
        len(told["scores"]),
    )


def test_many_healthy_scores_are_told_by_quantiles(client, store, screener):
    scores = np.random.default_rng(0).normal(size=5000)
    with store.write() as session:
        row = session.get_one(Screener, screener.id)
        row.details = {**row.details, "threshold": Threshold.learn(scores).to_dict()}
    told = client.get(f"{SCREENERS}/{screener.id}/healthy").json()
    assert len(told["scores"]) == 2000
    assert told["count"] == 5000
    assert (told["scores"][0], told["scores"][-1]) == (scores.min(), scores.max())


@pytest.mark.parametrize(("rule", "parameter"), [("conformal", 0.3), ("quantile", 0.5), ("mean+std", 2.0)])
def test_a_preview_says_what_the_change_does(client, store, home, screener, spread, rule, parameter):
    asked = {"rule": rule, "parameter": parameter}
    preview = client.post(f"{SCREENERS}/{screener.id}/threshold/preview", json=asked).json()
    before = all_of(store)
    assert {row.threshold for row in before.values()} == {screener.threshold}  # nothing changed
    changed = client.post(f"{SCREENERS}/{screener.id}/threshold", json=asked)
    assert changed.status_code == 200, changed.text
    new, after = changed.json()["screener"], all_of(store)
    assert changed.json()["findings"] == preview["findings"]
    assert preview["findings"]["total"] == len(spread)
    assert preview["findings"]["flagged_after"] == sum(row.flagged for row in after.values())
    newly = {name for name in after if after[name].flagged and not before[name].flagged}
    assert set(preview["findings"]["newly"]) == newly
    assert preview["findings"]["no_longer_count"] == sum(
        before[name].flagged and not after[name].flagged for name in after
    )
    assert {row.screener for row in after.values()} == {new["id"]}
    assert {row.verdict for row in after.values() if row.flagged} <= {"abnormal"}
    assert new["default"] is True
    assert new["replaces"] == screener.id
    loaded = Loaded.load(home.screener(new["sha256"]))
    assert (loaded.rule, loaded.parameter, loaded.threshold_.value) == (rule, parameter, preview["threshold"])
    old = client.get(f"{SCREENERS}/{screener.id}").json()
    assert (old["retired"], old["default"], old["findings"]) == (True, False, 0)
    assert client.post(f"{SCREENERS}/{screener.id}/threshold", json=asked).status_code == 409


@pytest.mark.usefixtures("spread")
def test_back_again_is_the_first_version(client, screener):
    other = client.post(
        f"{SCREENERS}/{screener.id}/threshold", json={"rule": "quantile", "parameter": 0.5}
    ).json()
    back = {"rule": screener.rule, "parameter": screener.parameter}
    again = client.post(f"{SCREENERS}/{other['screener']['id']}/threshold", json=back).json()
    assert again["screener"]["id"] == screener.id
    assert (again["screener"]["retired"], again["screener"]["default"]) == (False, True)
    same = client.post(f"{SCREENERS}/{screener.id}/threshold", json=back).json()
    assert same["screener"]["id"] == screener.id
    assert same["findings"]["newly_count"] == same["findings"]["no_longer_count"] == 0


def test_a_value_is_previewed_with_the_nearest_rule(client, screener, spread):
    threshold = thresholds.threshold_of(screener)
    value = float(np.median(threshold.healthy))
    told = client.post(f"{SCREENERS}/{screener.id}/threshold/preview", json={"value": value}).json()
    assert told["findings"]["flagged_after"] == sum(row.score > value for row in spread)
    assert told["rule"] == "conformal"
    assert told["p_value"] == told["parameter"]
    nearest = Threshold.of(threshold.calibration, told["rule"], told["parameter"])
    healthy = threshold.healthy
    assert ((healthy > value) == nearest.flags(healthy)).all()
    low = client.post(f"{SCREENERS}/{screener.id}/threshold/preview", json={"value": -1e6}).json()
    assert low["rule"] == "mean+std"


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"rule": "conformal", "value": 1.0},
        {"rule": "odd"},
        {"rule": "conformal", "parameter": 2},
        {"rule": "conformal", "parameter": 1e-9},
        {"rule": "quantile", "parameter": "NaN"},
        {"value": 1e999},
    ],
)
def test_thresholds_that_cannot_be(client, screener, asked):
    import json

    answer = client.post(
        f"{SCREENERS}/{screener.id}/threshold/preview",
        content=json.dumps(asked),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def test_waiting_jobs_follow_the_new_version(client, store, screener):
    with store.write() as session:
        session.add_all(
            [
                Job(id="1" * 32, kind="upload", screener=screener.id),
                Job(id="2" * 32, kind="upload", screener=screener.id, state="running"),
            ]
        )
    new = client.post(
        f"{SCREENERS}/{screener.id}/threshold", json={"rule": "quantile", "parameter": 0.5}
    ).json()
    assert client.get(f"/api/v1/jobs/{'1' * 32}").json()["screener"] == new["screener"]["id"]
    assert client.get(f"/api/v1/jobs/{'2' * 32}").json()["screener"] == screener.id


@pytest.fixture
def strata(store, screener):
    """The Screener with strata: axial with many healthy scans, coronal with few."""
    rng = np.random.default_rng(1)
    taken = {"plane": ["axial"] * 40 + ["coronal"] * 8}
    scores = np.concatenate([rng.normal(0, 1, 40), rng.normal(5, 1, 8)])
    threshold = Threshold.of(HealthyScores.of(scores, None, taken), "conformal", 0.15, ("plane",))
    assert set(threshold.parts) == {"axial", "coronal"} or set(threshold.parts) == {
        "plane=axial",
        "plane=coronal",
    }
    with store.write() as session:
        row = session.get_one(Screener, screener.id)
        row.details = {**row.details, "threshold": threshold.to_dict()}
    return threshold


def test_strata_that_get_too_small_share_the_threshold_of_all(store, screener, strata, add_finding):
    part, name = strata.for_scan({"plane": "coronal"})
    rows = [
        add_finding(
            score=score, p_value=float(part.p_values([score])[0]), stratum=name, plane="coronal",
            flagged=bool(score > part.value),
        )
        for score in (0.0, 4.0, 6.0, 9.0)
    ]  # fmt: skip
    strict = Threshold.of(strata.calibration, "conformal", 0.05, ("plane",))
    pooled, told = strict.for_scan({"plane": "coronal"})
    assert pooled is strict
    with store.write() as session:
        effect = thresholds.effect_of(session, screener.id, strict)
        for group in deciding.groups_of(session, screener.id):
            deciding.decide(session, screener.id, group, strata, strict)
    after = all_of(store)
    for row in rows:
        assert after[row.id].stratum == told
        assert after[row.id].threshold == strict.value
        assert after[row.id].p_value == pytest.approx(float(strict.p_values([row.score])[0]))
        assert after[row.id].flagged == (row.score > strict.value)
    assert effect.flagged_after == sum(after[row.id].flagged for row in rows)
    # and back: from the pooled name the stratum is known again
    with store.write() as session:
        for group in deciding.groups_of(session, screener.id):
            deciding.decide(session, screener.id, group, strict, strata)
    after = all_of(store)
    assert {after[row.id].stratum for row in rows} == {name}
    assert [after[row.id].p_value for row in rows] == pytest.approx([row.p_value for row in rows])


def test_volumes_are_decided_by_their_highest_slice(client, store, screener, add_finding):
    threshold = thresholds.threshold_of(screener)
    high, low = float(threshold.healthy[-1]), float(threshold.healthy[0])
    slices = [
        {"index": 0, "name": "ax000", "score": low - 1, "p_value": 1.0, "flagged": False},
        {"index": 1, "name": "ax001", "score": high + 1, "p_value": 0.1, "flagged": False},
        {"index": 2, "name": "ax002", "score": None, "p_value": None, "flagged": None},
    ]
    row = add_finding(
        kind="volume", score=low, highest=high + 1, p_kind="lowest slice", values={"slice_findings": slices}
    )
    client.post(f"{SCREENERS}/{screener.id}/threshold", json={"rule": "quantile", "parameter": 0.5})
    after = all_of(store)[row.id]
    assert (after.flagged, after.verdict, after.slices_flagged) == (True, "abnormal", 1)
    assert [one["flagged"] for one in after.values["slice_findings"]] == [False, True, None]


def test_what_was_not_judged_stays_so(client, store, screener, add_finding):
    unfit = add_finding(verdict="unfit", unfit="a montage", score=1e9)
    broken = add_finding(verdict="unreadable", score=None, p_value=None, flagged=None, error="broken")
    told = client.post(
        f"{SCREENERS}/{screener.id}/threshold", json={"rule": "quantile", "parameter": 0.5}
    ).json()
    after = all_of(store)
    assert (after[unfit.id].verdict, after[broken.id].verdict) == ("unfit", "unreadable")
    assert told["findings"]["total"] == 0
    assert after[unfit.id].screener == told["screener"]["id"]
    assert models.VERDICTS
