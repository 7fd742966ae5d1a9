from __future__ import annotations

import json

import numpy as np
import pytest

from atypia.errors import BadOption
from atypia.monitoring.monitor import Settings, watch
from atypia.monitoring.promise import Promise
from atypia.monitoring.windows import check_windows


@pytest.mark.parametrize(
    ("prevalence", "abnormal"), [(0.0, 0.0), (0.1, 0.1), (None, 0.1)], ids=["healthy", "stated", "unknown"]
)
def test_without_drift_alarms_are_no_more_frequent_than_the_risk(draw, prevalence, abnormal):
    risk, rounds = 0.1, 80
    settings = Settings(prevalence=prevalence, risk=risk, window=50)
    due = [bool(watch(draw(60, 300, abnormal=abnormal), settings, lambda _: 60).due) for _ in range(rounds)]
    assert np.mean(due) <= risk + 3 * np.sqrt(risk * (1 - risk) / rounds)


@pytest.mark.parametrize(("shift", "direction"), [(1.2, "higher"), (-1.2, "lower")])
@pytest.mark.parametrize("prevalence", [0.0, None])
def test_drift_is_found_with_its_time_and_direction(draw, shift, direction, prevalence):
    seen = watch(draw(150, 1000, shift=shift, start=500), Settings(prevalence=prevalence))
    (stratum,) = seen.due
    alarm = stratum.alarms[0]
    assert alarm.direction == direction
    assert 500 < alarm.row < 800
    assert 430 <= alarm.since <= 560
    assert stratum.size == 150


def test_more_abnormal_scans_than_stated_are_found(draw):
    streams = draw(200, 800, abnormal=0.4)
    assert not watch(streams, Settings(prevalence=0.4)).due
    (stratum,) = watch(streams, Settings(prevalence=0.05)).due
    assert {alarm.check for alarm in stratum.alarms} == {"window"}


def test_the_stratum_that_drifts_is_named(draw):
    streams = draw(100, 500, stratum="plane=axial")
    draw(100, 500, shift=1.5, stratum="plane=coronal", streams=streams)
    seen = watch(streams, Settings())
    assert [stratum.name for stratum in seen.strata] == ["plane=axial", "plane=coronal"]
    assert [stratum.name for stratum in seen.due] == ["plane=coronal"]


def test_the_same_stream_gives_the_same_twice(draw):
    streams = draw()
    assert watch(streams, Settings()).to_dict() == watch(streams, Settings()).to_dict()


def test_the_numbers_are_plain_json(draw):
    values = watch(draw(100, 500, shift=2.0), Settings(prevalence=0.0)).to_dict()
    told = json.loads(json.dumps(values, allow_nan=False))
    assert told["recalibration_due"] is True
    (stratum,) = told["strata"].values()
    assert stratum["scans"] == 500
    assert stratum["alarms"][0]["at"]["table"] == "findings.csv"
    assert len(stratum["windows"]) == 5


@pytest.mark.parametrize("scans", [1, 5, 9])
def test_a_short_stream_is_watched_without_a_verdict_too_soon(draw, scans):
    seen = watch(draw(100, scans), Settings(window=10))
    assert seen.due == ()
    assert seen.strata[0].windows == ()


def test_a_constant_stream_of_the_smallest_p_values_is_drift(draw):
    assert watch(draw(100, 200, shift=50.0), Settings(prevalence=0.0), lambda _: 100).due


def test_scans_that_all_look_abnormal_leave_nothing_to_test_where_nothing_is_stated(draw):
    seen = watch(draw(100, 200, shift=50.0), Settings())
    assert len(seen.strata[0].looked_at) == 0
    assert seen.to_dict()["strata"]["all scans"]["looked_at"] == 0


def test_a_crowd_of_low_p_values_is_told_where_nothing_is_stated(draw):
    streams = draw(100, 400, shift=4.0, start=200)
    (stratum,) = watch(streams, Settings(window=50)).due
    alarm = next(alarm for alarm in stratum.alarms if alarm.check == "crowd")
    assert (alarm.since, alarm.row, alarm.direction) == (200, 249, "higher")


def test_half_of_the_scans_may_be_abnormal_where_nothing_is_stated(draw):
    assert not watch(draw(300, 1000, abnormal=0.45), Settings()).due


@pytest.mark.parametrize("share", [0.0, 0.01])
def test_few_unfit_scans_are_no_alarm(draw, rng, share):
    assert watch(_with_unfit(draw, rng, share), Settings(window=50), refused=(100, 0.0)).unfit_alarm is None


def test_many_unfit_scans_are_an_alarm_of_their_own(draw, rng):
    seen = watch(_with_unfit(draw, rng, 0.5), Settings(window=50), refused=(100, 0.0))
    assert seen.due == ()
    assert seen.alarmed
    assert seen.unfit_alarm is not None
    assert 200 <= seen.unfit_alarm.since < seen.unfit_alarm.row < 400
    told = seen.to_dict()
    assert told["recalibration_due"] is True
    assert told["unfit_alarm"]["check"] == "unfit"


def test_what_was_left_out_at_the_fit_as_often_is_no_alarm(draw, rng):
    streams = _with_unfit(draw, rng, 0.3)
    assert watch(streams, Settings(window=50), refused=(100, 0.3)).unfit_alarm is None
    assert watch(streams, Settings(window=50), refused=(100, 0.02)).unfit_alarm is not None
    assert watch(streams, Settings(window=50)).unfit_windows == ()


def test_unfit_scans_of_a_group_that_is_tested_by_another_do_not_count(draw):
    streams = draw(100, 100)
    for place in range(50):
        streams.add({"name": f"again {place}", "p_value": 0.5, "unfit": "noise"}, "here", frozenset())
    assert streams.unfit == 50
    assert watch(streams, Settings(window=25), refused=(100, 0.0)).unfit_alarm is None


def _with_unfit(draw, rng, share):
    """A quiet stream of 200 scans, then 200 of which a share is unfit."""
    streams = draw(100, 200)
    for place, unfit in enumerate(rng.random(200) < share):
        record = {"name": f"later {place}", "p_value": float(rng.random()), "unfit": "noise" if unfit else ""}
        streams.add(record | {"p_value": max(record["p_value"], 0.001)}, "here", None)
    return streams


def test_windows_are_full_and_follow_each_other(rng):
    windows = check_windows(rng.random(95), Promise(None), 30, share=0.1, abnormal=0.0, risk=0.01)
    assert [(window.start, window.stop) for window in windows] == [(0, 30), (30, 60), (60, 90)]
    assert [window.most for window in windows] == sorted(window.most for window in windows)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"window": 5}, "window of at least 10"),
        ({"risk": 0.0}, "risk between 0 and 1; received 0"),
        ({"alpha": 1.0}, "alpha between 0 and 1; received 1"),
        ({"prevalence": 1.0}, "prevalence from 0 to below 1; received 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(change, words):
    with pytest.raises(BadOption, match=words):
        Settings(**change)
