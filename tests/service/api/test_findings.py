"""The worklist, page by page, and single findings with their files."""

from __future__ import annotations

import gzip
import math
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from atypia.service.store.cursor import BadCursor
from atypia.service.store.findings import SORTS, Filter, list_findings, neighbours
from atypia.service.store.models import Finding, Job, Screener, new_id, now

FINDINGS = "/api/v1/findings"


def walked(client, limit, **params):
    found, cursor = [], None
    for _ in range(100):
        page = client.get(
            FINDINGS, params={"limit": limit, **params, **({"cursor": cursor} if cursor else {})}
        )
        assert page.status_code == 200, page.text
        found += [item["id"] for item in page.json()["items"]]
        cursor = page.json()["next"]
        if cursor is None:
            return found
    raise AssertionError("pages without an end")


def test_worklist_is_ordered_by_p_value_with_ties_by_id_and_missing_last(client, add_finding):
    rows = [add_finding(p_value=p) for p in (0.5, 0.01, None, 0.5, 0.2, None)]
    expected = sorted(rows, key=lambda row: (row.p_value is None, row.p_value or 0, row.id))
    for limit in (1, 2, 3, 50):
        assert walked(client, limit) == [row.id for row in expected]
    assert client.get(FINDINGS).json()["total"] == 6


def test_highest_first_still_has_missing_last(client, add_finding):
    rows = {p: add_finding(p_value=p).id for p in (0.1, None, 0.9)}
    assert walked(client, 1, sort="-p_value") == [rows[0.9], rows[0.1], rows[None]]


def test_pages_stay_right_while_rows_come_and_go(client, store, add_finding):
    rows = [add_finding(p_value=p) for p in (0.1, 0.2, 0.3, 0.4)]
    first = client.get(FINDINGS, params={"limit": 2}).json()
    add_finding(p_value=0.05)
    with store.write() as session:
        session.execute(delete(Finding).where(Finding.id == rows[1].id))
    second = client.get(FINDINGS, params={"limit": 2, "cursor": first["next"]}).json()
    assert [item["id"] for item in second["items"]] == [rows[2].id, rows[3].id]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(
        st.tuples(
            st.none() | st.sampled_from([0.1, 0.1 + 1e-17, 0.3, 1 / 3]),
            st.none() | st.sampled_from([1.0, 2.5]),
        ),
        max_size=9,
    ),
    limit=st.integers(1, 4),
    sort=st.sampled_from(sorted(SORTS)),
)
def test_every_row_is_on_exactly_one_page(any_store, values, limit, sort):
    with any_store.write() as session:
        for table in (Finding, Job, Screener):
            session.execute(delete(table))
        screener = Screener(
            name="s", sha256=new_id() * 2, detector="d", version="1", rule="quantile", threshold=1.0
        )
        session.add(screener)
        session.flush()
        job = Job(kind="upload", screener=screener.id)
        session.add(job)
        session.flush()
        rows = [made(screener, job, at, value) for at, value in enumerate(values)]
        session.add_all(rows)
    found, cursor = [], None
    with any_store.session() as session:
        while True:
            part, cursor, total = list_findings(session, Filter(), sort, limit, cursor)
            found += [row.id for row in part]
            assert total == len(values)
            if cursor is None:
                break
        assert sorted(found) == sorted(row.id for row in rows)
        chain = sorted(rows, key=as_read)
        for at, row in enumerate(chain):
            before = chain[at - 1].id if at else None
            after = chain[at + 1].id if at + 1 < len(chain) else None
            assert neighbours(session, row) == (before, after)


def as_read(row):
    """The rarest first; of those alike rare the highest score."""
    return (row.p_value is None, row.p_value or 0, row.score is None, -(row.score or 0), row.id)


def made(screener, job, at, values):
    value, score = values
    return Finding(
        id=new_id(), job=job.id, screener=screener.id, index=at, label="x", kind="picture", verdict="normal",
        p_value=value, score=score, created=now() - timedelta(seconds=at % 2),
    )  # fmt: skip


@pytest.mark.parametrize(
    "cursor", ["x", "e30", "!!", "WyJzY29yZSIsIDEsICJhIl0", "W1tbW1tb", "WyJwX3ZhbHVlIiwgdHJ1ZSwgMV0"]
)
def test_a_strange_cursor_is_a_problem(client, add_finding, cursor):
    add_finding()
    answer = client.get(FINDINGS, params={"cursor": cursor})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


@given(st.text(max_size=60))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_as_a_cursor_is_told_apart(store, cursor):
    with store.session() as session, pytest.raises(BadCursor):
        list_findings(session, Filter(), "p_value", 1, cursor)


def test_filters(client, add_finding, job):
    one = add_finding(verdict="abnormal", flagged=True, p_value=0.01, review="accepted", sequence="T1_x%")
    two = add_finding(verdict="unfit", p_value=0.3, kind="volume")
    three = add_finding(verdict="unreadable", p_value=None, score=None, flagged=None)
    for params, expected in (
        ({"verdict": "abnormal"}, {one}),
        ({"verdict": ["abnormal", "unfit"]}, {one, two}),
        ({"review": "accepted"}, {one}),
        ({"kind": "volume"}, {two}),
        ({"p_max": 0.1}, {one}),
        ({"p_min": 0.1}, {two}),
        ({"job": job.id}, {one, two, three}),
        ({"job": "0" * 32}, set()),
        ({"q": "t1_X%"}, {one}),
        ({"q": "file 3"}, {three}),
        ({"q": "%"}, {one}),
        ({"since": (now() + timedelta(hours=1)).isoformat()}, set()),
        ({"since": "2020-01-01T00:00:00"}, {one, two, three}),
    ):
        found = client.get(FINDINGS, params=params).json()
        assert {item["id"] for item in found["items"]} == {row.id for row in expected}, params
        assert found["total"] == len(expected)
    assert client.get(FINDINGS, params={"verdict": "odd"}).status_code == 422


def test_one_finding_knows_its_neighbours_and_never_holds_nan(client, add_finding):
    first, second = (
        add_finding(p_value=0.1),
        add_finding(
            p_value=0.2,
            values={"regions": [{"rank": 1, "peak": 2.0, "mean": math.pi}], "map": {"shape": [32, 32]}},
            files={"scan.png": b"1234"},
        ),
    )
    told = client.get(f"{FINDINGS}/{second.id}").json()
    assert (told["previous"], told["next"]) == (first.id, None)
    assert told["regions"][0]["rank"] == 1
    assert told["map"] == {"shape": [32, 32]}
    assert told["files"] == [
        {
            "name": "scan.png",
            "url": f"{FINDINGS}/{second.id}/files/scan.png",
            "bytes": 4,
            "media_type": "image/png",
        }
    ]
    assert told["thumbnail"] is None
    missing = client.get(f"{FINDINGS}/{'0' * 32}")
    assert missing.status_code == 404
    assert missing.json()["title"] == "No such finding"
    assert client.get(f"{FINDINGS}/x").status_code == 422


def test_files_are_kept_for_ever_by_browsers(client, add_finding):
    heat = np.arange(12, dtype="<f4").tobytes()
    row = add_finding(
        files={"map.bin.gz": gzip.compress(heat), "scan.nii.gz": b"0123456789", "dicom/seg.dcm": b"d"}
    )
    url = f"{FINDINGS}/{row.id}/files"
    answer = client.get(f"{url}/map.bin.gz")
    assert (answer.headers["content-encoding"], answer.content) == ("gzip", heat)
    assert "immutable" in answer.headers["cache-control"]
    assert (
        client.get(f"{url}/map.bin.gz", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    )
    part = client.get(f"{url}/scan.nii.gz", headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"234", "bytes 2-4/10")
    assert client.get(f"{url}/dicom/seg.dcm").headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize(
    "name", ["../key", "..%2fkey", "%2e%2e/%2e%2e/key", "/etc/passwd", "scan.png%00", "other.png"]
)
def test_only_listed_files_are_served(client, home, add_finding, name):
    row = add_finding(files={"scan.png": b"x"})
    (home.findings(row.id) / "other.png").write_bytes(b"not listed")
    answer = client.get(f"{FINDINGS}/{row.id}/files/{name}")
    assert answer.status_code in (404, 400, 405)
    assert b"not listed" not in answer.content


def test_review_is_kept_with_who_and_when(client, add_finding):
    row = add_finding()
    told = client.put(f"{FINDINGS}/{row.id}/review", json={"state": "accepted"}).json()
    assert (told["review"], told["reviewed_by"]) == ("accepted", "local")
    assert told["reviewed"] is not None
    told = client.put(f"{FINDINGS}/{row.id}/review", json={"state": "none"}).json()
    assert (told["review"], told["reviewed_by"], told["reviewed"]) == ("none", None, None)
    assert client.put(f"{FINDINGS}/{row.id}/review", json={"state": "odd"}).status_code == 422


def test_a_finding_is_deleted_with_its_files(client, home, add_finding):
    row = add_finding(files={"scan.png": b"x"})
    assert client.delete(f"{FINDINGS}/{row.id}").status_code == 204
    assert not home.findings(row.id).exists()
    assert client.get(f"{FINDINGS}/{row.id}").status_code == 404
    assert client.delete(f"{FINDINGS}/{row.id}").status_code == 404
