"""What the server tells of itself, its figures, and the page that it serves."""

from __future__ import annotations

import gzip
import re

import pytest
from sqlalchemy.exc import OperationalError

from atypia.notice import RESEARCH_USE_ONLY
from atypia.service.api import page

SCRIPT = b"export const word = 1;\n" * 100


def test_about_says_what_is_taken_and_who_asks(client, settings):
    told = client.get("/api/v1/about").json()
    assert told["notice"] == RESEARCH_USE_ONLY
    assert told["limits"]["upload_bytes"] == settings.limits.upload_bytes
    assert told["auth"] == {"required": False, "kinds": ["token"], "user": {"name": "local", "role": "admin"}}
    assert {".png", ".nii.gz", ".dcm", ".zip"} <= set(told["formats"])
    assert told["node"] is None


@pytest.mark.usefixtures("store", "home")
def test_health_needs_nothing_and_readiness_a_screener(client, request):
    assert client.get("/healthz").json() == {"status": "ok"}
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]) == (
        503,
        {"database": True, "screener": False, "room": True},
    )
    request.getfixturevalue("screener")
    assert client.get("/readyz").json()["status"] == "ready"


def figures(client):
    lines = client.get("/metrics").text.splitlines()
    return {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")
    }


@pytest.mark.usefixtures("app", "screener", "job")
def test_metrics_count_without_identifiers(client, add_finding, head_png):
    row = add_finding(verdict="abnormal")
    client.post("/api/v1/jobs", files=[("files", ("Doe^Jane.png", head_png(), "image/png"))])
    client.post("/api/v1/jobs", files=[("files", ("Doe^Jane.pdf", b"%PDF-"))])
    client.get(f"/api/v1/findings/{row.id}")
    client.get("/Doe/Jane")
    found = figures(client)
    assert found['atypia_jobs{state="queued"}'] == found["atypia_queue_depth"] == 1
    assert found["atypia_queue_oldest_seconds"] >= 0
    assert found['atypia_findings{verdict="abnormal"}'] == 1
    assert found["atypia_upload_files_total"] == 1
    assert found["atypia_upload_bytes_total"] > len(head_png())
    assert found['atypia_uploads_refused_total{status="415"}'] == 1
    key = 'atypia_requests_total{method="GET",route="/api/v1/findings/{finding}",status="200"}'
    assert found[key] == 1
    text = client.get("/metrics").text
    assert "Doe" not in text
    assert not re.search(r"[0-9a-f]{32}", text)


def test_metrics_tell_that_the_database_is_away(app, monkeypatch):
    def away():
        raise OperationalError("SELECT 1", {}, Exception("gone"))

    serving = app.state.serving
    monkeypatch.setattr(serving.store, "session", away)
    assert serving.meters.registry.get_sample_value("atypia_database_up") == 0


@pytest.fixture
def web(app, tmp_path):
    folder = tmp_path / "web"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>Atypia</title>")
    (folder / "assets" / "index-abc123.js").write_bytes(SCRIPT)
    (tmp_path / "secret.txt").write_text("secret")
    app.state.web = folder
    return folder


@pytest.mark.usefixtures("web")
def test_every_view_is_the_index(client):
    for path in ("/", "/findings/1", "/screeners", "/drift?window=5"):
        answer = client.get(path)
        assert "Atypia" in answer.text
        assert answer.headers["content-type"].startswith("text/html")
        assert answer.headers["cache-control"] == "no-cache"
    again = client.get("/", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.usefixtures("web")
def test_assets_stay_for_ever_and_come_packed(client):
    answer = client.get("/assets/index-abc123.js")
    assert (answer.headers["content-encoding"], answer.content) == ("gzip", SCRIPT)
    assert int(answer.headers["content-length"]) < len(SCRIPT) / 5
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"].startswith("text/javascript")
    plain = client.get("/assets/index-abc123.js", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert gzip.compress(plain.content)


@pytest.mark.parametrize("path", ["/assets/gone.js", "/api/v1/odd", "/api/", "/dicomweb/odd"])
@pytest.mark.usefixtures("web")
def test_what_is_no_view_is_a_problem(client, path):
    answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize(
    "path", ["/../secret.txt", "/%2e%2e/secret.txt", "/assets/..%2f..%2fsecret.txt", "/..%5csecret.txt"]
)
@pytest.mark.usefixtures("web")
def test_nothing_beside_the_page_is_served(client, path):
    assert "secret" not in client.get(path).text


def test_a_link_out_of_the_page_is_not_followed(client, web, tmp_path):
    (web / "out.txt").symlink_to(tmp_path / "secret.txt")
    assert "secret" not in client.get("/out.txt").text


def test_a_page_that_was_not_built_says_so(app, client, tmp_path):
    app.state.web = tmp_path / "none"
    answer = client.get("/")
    assert (answer.status_code, answer.headers["content-type"]) == (503, "text/html; charset=utf-8")
    assert "npm run build" in answer.text
    assert RESEARCH_USE_ONLY in answer.text
    assert page.WEB.name == "web"


def test_an_address_longer_than_any_name_of_a_file_is_no_fault_of_the_server(client):
    assert client.get("/api/" + "a" * 9000).status_code == 404
    assert client.get("/" + "a" * 5000).status_code in (200, 503)
