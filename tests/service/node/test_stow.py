"""STOW-RS: what is stored, what is answered, and what a body may not be."""

from __future__ import annotations

import warnings
from contextlib import suppress

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from atypia.service.api.app import create_app
from atypia.service.api.problems import Problem
from atypia.service.node.recording import Recorder
from atypia.service.node.settings import NodeSettings
from atypia.service.node.spool import Spool
from atypia.service.node.stow import StowBody
from atypia.service.store.models import Instance, Study

with warnings.catch_warnings():  # it asks for another client than the one that we send with
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

EDGE = "the-edge"
KIND = f'multipart/related; type="application/dicom"; boundary={EDGE}'
FAILED, STORED, OTHERS = "00081198", "00081199", "0008119A"


def body_of(parts, kind="application/dicom", end=True):
    pieces = [f"--{EDGE}\r\nContent-Type: {kind}\r\n\r\n".encode() + part + b"\r\n" for part in parts]
    return b"".join(pieces) + (f"--{EDGE}--\r\n".encode() if end else b"")


@pytest.fixture
def client(home, store, service_settings):
    app = create_app(service_settings, store, home, lambda: None)
    with TestClient(app, base_url="http://127.0.0.1:8765") as made:
        yield made


@pytest.fixture
def service_settings(settings):
    return settings


def post(client, body, study="", kind=KIND):
    return client.post(f"/dicomweb/studies{study}", content=body, headers={"Content-Type": kind})


def reasons(items):
    return [one["00081197"]["Value"][0] for one in items["Value"]]


def count(store, kind=Instance):
    with store.session() as session:
        return session.scalar(select(func.count()).select_from(kind))


def test_instances_are_stored(client, store, home, write_study, tmp_path):
    files = write_study(tmp_path / "sent", count=60, size=8)
    answer = post(client, body_of([file.read_bytes() for file in files]))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/dicom+json"
    told = answer.json()
    assert [one["00081155"]["Value"][0] for one in told[STORED]["Value"]] == [
        pydicom.dcmread(file).SOPInstanceUID for file in files
    ]
    assert FAILED not in told
    assert count(store) == len(list(home.studies.rglob("*.dcm"))) == 60
    assert list(home.tmp.iterdir()) == []
    assert post(client, body_of([files[0].read_bytes()])).status_code == 200, "again is no error"
    (item,) = client.get("/api/v1/studies").json()["items"]
    assert (item["instances"], item["state"], item["job"]) == (60, "receiving", None)
    assert client.delete(f"/api/v1/studies/{item['id']}").status_code == 204
    assert client.delete(f"/api/v1/studies/{item['id']}").status_code == 404
    assert (count(store), list(home.studies.rglob("*.dcm"))) == (0, [])


def test_each_failure_is_told_by_itself(client, store, write_study, tmp_path):
    good, other, cut, odd = write_study(tmp_path, count=4, size=8)
    data = pydicom.dcmread(other)
    again = pydicom.dcmread(good)
    again.PixelData = bytes(len(again.PixelData))
    pydicom.dcmwrite(other, again, enforce_file_format=True)
    data.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    pydicom.dcmwrite(odd, data, enforce_file_format=True)
    parts = [good.read_bytes(), other.read_bytes(), cut.read_bytes()[:-10], odd.read_bytes(), b"no DICOM"]
    answer = post(client, body_of(parts))
    assert answer.status_code == 202
    told = answer.json()
    first, second = told[STORED]["Value"]
    assert "00081196" not in first
    assert second["00081196"]["Value"] == [0xB006], "another content of an instance that is there"
    assert reasons(told[OTHERS]) == [0xC000, 0xC122, 0xC000]
    assert count(store) == 1
    assert post(client, body_of([b"no DICOM"])).status_code == 409


def test_instances_of_another_study_are_refused(client, store, write_study, tmp_path):
    (ours,), (other,) = (write_study(tmp_path, count=1, study=uid, size=8) for uid in ("1.2.3", "1.2.4"))
    answer = post(client, body_of([ours.read_bytes(), other.read_bytes()]), "/1.2.3")
    assert answer.status_code == 202
    assert reasons(answer.json()[FAILED]) == [0xA900]
    assert count(store, Study) == 1
    assert post(client, body_of([other.read_bytes()]), "/no-uid").status_code == 422


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/dicom", b"x", 415),
        ("multipart/form-data; boundary=the-edge", b"x", 415),
        (f'multipart/related; type="application/dicom+json"; boundary={EDGE}', b"x", 415),
        ('multipart/related; type="application/dicom"', b"x", 400),
        (KIND, b"no parts at all", 400),
        (KIND, b"", 400),
        (KIND, f"--{EDGE}--\r\n".encode(), 400),
        (KIND, body_of([b"x"], kind="text/html"), 415),
        (KIND, body_of([b"x"], kind="a" * 9000), 400),
    ],
)
def test_a_body_of_another_kind_is_refused(client, store, home, kind, body, status):
    answer = post(client, body, kind=kind)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert (count(store), list(home.tmp.iterdir())) == (0, [])


def test_of_a_body_that_is_cut_short_whole_parts_stay(client, store, home, write_study, tmp_path):
    first, second = write_study(tmp_path, count=2, size=8)
    whole = body_of([first.read_bytes(), second.read_bytes()])
    answer = post(client, whole[:-300])
    assert answer.status_code == 400
    assert "stays" in answer.json()["detail"]
    assert count(store) == 1
    assert list(home.tmp.iterdir()) == []


class TestLimits:
    """What may not be too large is refused, and a full disk is told."""

    @pytest.fixture
    def service_settings(self, settings):
        from dataclasses import replace

        limits = replace(settings.limits, upload_bytes=100_000)
        return replace(settings, limits=limits, node=NodeSettings(instance_bytes=20_000))

    def test_they_hold(self, client, store, home, write_study, tmp_path):
        large, small = write_study(tmp_path, 1, size=128) + write_study(tmp_path, 1, size=8)
        answer = post(client, body_of([large.read_bytes(), small.read_bytes()]))
        assert answer.status_code == 202
        assert reasons(answer.json()[OTHERS]) == [0xA700]
        assert post(client, body_of([large.read_bytes()])).status_code == 503
        assert post(client, body_of([bytes(60_000)] * 2)).status_code == 413
        assert count(store) == 1
        assert list(home.tmp.iterdir()) == []


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.data())
def test_it_does_not_matter_how_a_body_comes_in_pieces(home, store, write_study, tmp_path, content):
    files = sorted((tmp_path / "sent").glob("*")) or write_study(tmp_path / "sent", count=2, size=8)
    whole = body_of([file.read_bytes() for file in files])
    cuts = sorted(content.draw(st.lists(st.integers(0, len(whole)), max_size=12)))
    recorder = Recorder(store, home, NodeSettings())
    body = StowBody(EDGE.encode(), Spool(home, NodeSettings()), recorder, "x")
    try:
        for start, stop in zip([0, *cuts], [*cuts, len(whole)], strict=True):
            body.feed(whole[start:stop])
        body.end()
    finally:
        body.discard()
        recorder.stop()
    assert [one.outcome.status for one in body.told] == [0, 0]
    assert count(store) == 2


@given(noise=st.binary(max_size=300))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_noise_is_refused(home, store, noise):
    recorder = Recorder(store, home, NodeSettings())
    body = StowBody(EDGE.encode(), Spool(home, NodeSettings()), recorder, "x")
    with suppress(Problem):
        body.feed(f"--{EDGE}\r\n".encode() + noise)
        body.end()
    body.discard()
    recorder.stop()
    assert count(store) == 0
    assert list(home.tmp.iterdir()) == []
