"""Drift of stored p-values: silent where scans are as calibration promised, told where they are not."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import insert

from atypia.service.store.models import Finding, Job, new_id

DRIFT = "/api/v1/drift"


@pytest.fixture
def stream(store, screener, job):
    """`stream(p_values, …)` stores findings with these p-values, in order."""

    def add(p_values, **given):
        start = len(stored(store))
        rows = [
            {
                "id": new_id(), "job": job.id, "screener": screener.id, "index": start + at, "label": "x",
                "kind": "picture", "verdict": "normal", "p_value": float(p), "values": {}, "files": [],
                **given,
            }
            for at, p in enumerate(p_values)
        ]  # fmt: skip
        with store.write() as session:
            session.execute(insert(Finding), rows)
        return [row["id"] for row in rows]

    return add


def stored(store):
    with store.session() as session:
        return session.query(Finding.id).all()


def as_promised(count, bins, seed=0):
    return np.random.default_rng(seed).integers(1, bins + 1, count) / bins


@pytest.mark.usefixtures("screener")
def test_nothing_to_test_is_no_drift(client):
    told = client.get(DRIFT).json()
    assert (told["recalibration_due"], told["streams"], told["findings"]) == (False, [], 0)


def test_without_a_screener_there_is_no_drift(client):
    assert client.get(DRIFT).status_code == 404


@pytest.mark.usefixtures("screener")
def test_scans_as_promised_make_no_alarm(client, described, stream):
    bins = described["details"]["groups"] + 1
    stream(as_promised(600, bins))
    told = client.get(DRIFT, params={"window": 50}).json()
    (one,) = told["streams"]
    assert told["recalibration_due"] is False
    assert (one["name"], one["scans"], one["calibration"]) == ("all", 600, bins - 1)
    assert len(one["p_values"]) == len(one["findings"]) == len(one["log10_capital"]) == 600
    assert one["alarms"] == []


@pytest.mark.usefixtures("screener")
def test_an_alarm_names_where_it_began(client, described, stream):
    bins = described["details"]["groups"] + 1
    stream(as_promised(300, bins))
    shifted = stream(np.full(400, 1 / bins))
    told = client.get(DRIFT, params={"prevalence": 0, "window": 50}).json()
    assert told["recalibration_due"] is True
    alarm = told["streams"][0]["alarms"][0]
    assert alarm["at"] in shifted
    assert any(window["alarm"] for window in told["streams"][0]["windows"])


@pytest.mark.usefixtures("screener")
def test_long_streams_are_drawn_by_some_points(client, described, stream):
    stream(as_promised(5000, described["details"]["groups"] + 1))
    (one,) = client.get(DRIFT).json()["streams"]
    assert (one["scans"], len(one["p_values"])) == (5000, 2000)


@pytest.mark.usefixtures("store", "screener")
def test_volumes_and_strata_are_streams_of_their_own(client, stream):
    stream([0.5, 0.25, 1.0], stratum="plane=axial")
    stream([0.5, 1.0], kind="volume", p_kind="volume")
    stream([0.5, 1.0], kind="volume", p_kind="lowest slice")
    stream([0.5], verdict="unfit", unfit="a montage")
    told = client.get(DRIFT).json()
    assert {one["name"]: one["scans"] for one in told["streams"]} == {"plane=axial": 3, "volumes": 2}
    assert (told["findings"], told["unfit"]) == (6, 1)


def test_one_of_each_job(client, store, screener, stream):
    stream([0.5, 0.25, 1.0])
    other = Job(id=new_id(), kind="upload", screener=screener.id)
    with store.write() as session:
        session.add(other)
    stream([0.75], job=other.id)
    told = client.get(DRIFT, params={"one_per_job": True}).json()
    assert told["streams"][0]["p_values"] == [0.5, 0.75]


@pytest.mark.parametrize("params", [{"window": 5}, {"risk": 0}, {"prevalence": 1}, {"prevalence": "nan"}])
@pytest.mark.usefixtures("screener")
def test_settings_that_make_no_sense(client, params):
    assert client.get(DRIFT, params=params).status_code == 422
