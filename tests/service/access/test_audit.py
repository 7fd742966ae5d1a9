"""Who saw and changed what, and what the log does not tell."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest
from sqlalchemy.exc import OperationalError

from atypia.service.access.audit import AuditLog, Entry, Told, forget
from atypia.service.access.users import LOCAL
from atypia.service.store.models import Audit, now

FINDING, OTHER = "ab" * 16, "cd" * 16
JOBS = "/api/v1/jobs"


def told(rows):
    return [(row.who, row.action, row.subject, row.status) for row in rows]


def test_opening_a_finding_is_told_once_in_a_minute(served, audited):
    client = served()
    for _ in range(3):
        client.get(f"/api/v1/findings/{FINDING}")
        client.get(f"/api/v1/findings/{FINDING}/files/map")
    client.get(f"/api/v1/findings/{OTHER}/files/overlay.png")
    client.get(f"/api/v1/findings/{OTHER}/files/thumbnail.webp")
    client.get("/api/v1/session")
    assert told(audited()) == [
        ("local", "finding.open", FINDING, 200),
        ("local", "finding.open", OTHER, 200),
    ]


def test_what_was_not_shown_was_not_opened(served, token, audited):
    client = served()
    client.get(f"/api/v1/findings/{FINDING}/files/missing")
    token()
    client.get(f"/api/v1/findings/{FINDING}")
    assert audited() == []


def test_what_is_fetched_ahead_is_told_as_that_and_opened_later(served, audited):
    client = served()
    client.get(f"/api/v1/findings/{FINDING}?prefetch=1")
    client.get(f"/api/v1/findings/{FINDING}/files/map?prefetch=1")
    client.get(f"/api/v1/findings/{FINDING}/files/thumbnail.webp?prefetch=1")
    client.get(f"/api/v1/findings/{FINDING}")
    assert told(audited()) == [
        ("local", "finding.prefetch", FINDING, 200),
        ("local", "finding.open", FINDING, 200),
    ]


def test_a_thumbnail_opens_nothing(served, audited):
    assert served().get(f"/api/v1/findings/{FINDING}/files/thumbnail.webp").is_success
    assert audited() == []


def test_every_unsafe_call_is_told(served, audited):
    client = served()
    client.post(JOBS)
    client.put(f"/api/v1/findings/{FINDING}/review", json={"note": "patient doe"})
    client.put(f"/api/v1/findings/{FINDING}/review", content=b"broken")
    client.post(f"/api/v1/screeners/{OTHER}/threshold")
    client.delete(f"/api/v1/tokens/{OTHER}")
    client.post("/api/v1/made/up/by/doe")
    client.post("/dicomweb/studies/1.2.3.4")
    assert told(audited()) == [
        ("local", "job.create", "ef" * 16, 202),
        ("local", "finding.review", FINDING, 200),
        ("local", "finding.review", FINDING, 422),
        ("local", "threshold.change", OTHER, 200),
        ("local", "token.delete", OTHER, 404),
        ("local", "unknown.create", None, 405),
        ("local", "study.create", None, 405),
    ]
    assert audited()[3].details == {"rule": "conformal", "kind": "local"}
    assert "doe" not in str([vars(row) for row in audited()])
    assert "1.2.3.4" not in str([vars(row) for row in audited()])


def test_logins_and_refused_tokens_are_told(served, token, audited):
    made = token()
    client = served(failures_per_minute=2)
    client.post("/api/v1/session", json={"token": made})
    for _ in range(4):
        client.post("/api/v1/session", json={"token": "wrong"}, headers={"Cookie": ""})
        client.get("/api/v1/session", headers={"Authorization": "Bearer wrong"})
    found = told(audited())
    assert found[0] == ("a reader", "session.create", None, 200)
    assert {row[1] for row in found[1:]} <= {"session.create", "token.refused"}
    assert all(row[3] in (401, 403) for row in found[1:])
    assert made not in str([vars(row) for row in audited()])


def test_nothing_is_shown_that_cannot_be_written_down(served, monkeypatch):
    client = served()

    def full(*_args, **_kwargs):
        raise OperationalError("INSERT", {}, OSError("disk full"))

    monkeypatch.setattr(AuditLog, "write", full)
    answer = client.get(f"/api/v1/findings/{FINDING}/files/scan.png")
    assert (answer.status_code, answer.json()["title"]) == (503, "The audit log cannot be written")
    assert b"bytes" not in answer.content
    assert client.post(JOBS, content=b"abc").status_code == 202


def test_the_log_is_read_by_administrators_in_pages(served, store, token):
    with store.write() as session:
        for number in range(25):
            session.add(
                Audit(who="=cmd" if number == 3 else "x", role="reader", action=f"job.{number}", details={})
            )
    headers = {"Authorization": f"Bearer {token('admin')}"}
    client = served()
    assert client.get("/api/v1/audit").status_code == 401
    assert (
        client.get("/api/v1/audit", headers={"Authorization": f"Bearer {token('reader')}"}).status_code == 403
    )
    found, cursor = [], None
    for _ in range(5):
        query = {"limit": 10, **({"cursor": cursor} if cursor else {})}
        page = client.get("/api/v1/audit", headers=headers, params=query).json()
        found += [row["action"] for row in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == [f"job.{number}" for number in reversed(range(25))]
    assert client.get("/api/v1/audit?cursor=x", headers=headers).status_code == 422
    for query, count in (
        ("who=%3Dcmd", 1), ("action=job.1", 11), ("action=%25", 0), ("subject=abc", 0),
        ("since=2999-01-01T00:00:00Z", 0), ("until=2999-01-01T00:00:00Z&limit=500", 25),
    ):  # fmt: skip
        assert len(client.get(f"/api/v1/audit?{query}", headers=headers).json()["items"]) == count, query
    answer = client.get("/api/v1/audit.csv", headers=headers)
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 25
    assert next(row["who"] for row in rows if row["action"] == "job.3") == "'=cmd"


def test_nobody_changes_the_log(served):
    client = served()
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert client.request(method, "/api/v1/audit").status_code == 405


def test_old_rows_are_forgotten_where_that_is_set(any_store):
    with any_store.write() as session:
        session.add(Audit(who="old", role="", action="a", at=now() - timedelta(days=31), details={}))
        session.add(Audit(who="new", role="", action="a", at=now() - timedelta(days=29), details={}))
    AuditLog(any_store, 0).write([Told(LOCAL, Entry("b"), 200, "unknown")])
    with any_store.session() as session:
        assert session.query(Audit).count() == 3
    AuditLog(any_store, 30).write([Told(LOCAL, Entry("c"), 200, "unknown")])
    with any_store.session() as session:
        assert sorted(row.who for row in session.query(Audit)) == ["local", "local", "new"]
    with any_store.write() as session:
        forget(session, 1)
        assert session.query(Audit).count() == 2


@pytest.mark.parametrize("pause", [59, 61])
def test_a_minute_later_it_is_told_again(store, pause):
    clock = [0.0]
    log, entry = AuditLog(store, 0, clock=lambda: clock[0]), Entry("finding.open", FINDING, once=True)
    assert log.is_due(LOCAL, entry, 200)
    log.write([Told(LOCAL, entry, 200, "unknown")])
    clock[0] = pause
    assert log.is_due(LOCAL, entry, 200) == (pause > 60)
    assert log.is_due(LOCAL, Entry("finding.open", OTHER, once=True), 200)
