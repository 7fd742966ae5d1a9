"""What every answer carries, whoever answers."""

from __future__ import annotations

import pytest

FINDING = "ab" * 16
PATHS = [
    "/",
    "/healthz",
    "/api/v1/session",
    "/api/v1/none",
    "/api/v1/broken",
    f"/api/v1/findings/{FINDING}",
    "/api/v1/%2e%2e",
]


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_is_dressed(served, path):
    answer = served().get(path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "strict-transport-security" not in answer.headers
    assert ("no-store" in answer.headers.get("cache-control", "")) == (path != "/")


def test_refusals_are_dressed_too(served):
    for headers in ({"Host": "evil.example"}, {"Origin": "null"}, {"Authorization": "x"}):
        answer = served().get("/api/v1/session", headers=headers)
        assert not answer.is_success
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_pages_run_nothing_inline_and_reports_run_nothing(served):
    client = served()
    page = client.get("/").headers["content-security-policy"]
    assert "unsafe-inline" not in page
    assert "'unsafe-eval'" not in page
    report = client.get(f"/api/v1/findings/{FINDING}/files/report.html").headers["content-security-policy"]
    assert report.startswith("sandbox; default-src 'none'")
    assert "script-src" not in report
    data = client.get(f"/api/v1/findings/{FINDING}").headers["content-security-policy"]
    assert data.startswith("sandbox; default-src 'none'")


def test_what_one_may_see_is_kept_by_ones_own_browser_alone(served):
    answer = served().get(f"/api/v1/findings/{FINDING}/files/scan.png")
    assert answer.headers["cache-control"] == "private, max-age=60, immutable"
    assert {"Authorization", "Cookie"} <= set(answer.headers["vary"].split(", "))


def test_under_tls_browsers_stay_there(served):
    answer = served(base="https://127.0.0.1:8765").get("/")
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


def test_an_error_tells_nothing_of_this_machine(served, capsys):
    answer = served().get("/api/v1/broken")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.text + "".join(capsys.readouterr())
    assert "secret" not in told
    assert "Doe" not in told
    assert "RuntimeError" not in answer.text
