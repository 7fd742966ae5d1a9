"""The whole way: a picture is sent, a worker judges it, a reader looks and says what it really is."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image
import pytest

from atypia.service.work.worker import Worker


@pytest.fixture
def judged(client, settings, store, home, screener, head_png):
    """The job of a healthy and a sick head, judged."""
    files = [
        ("files", ("a.png", head_png(0), "image/png")),
        ("files", ("b.png", head_png(1, lesion=0.8), "image/png")),
    ]
    job = client.post("/api/v1/jobs", files=files, data={"screener": screener.id, "judge_all": "true"}).json()
    Worker(settings, store, home).drain()
    return client.get(f"/api/v1/jobs/{job['id']}").json()


def test_what_a_worker_found_is_told_whole(client, judged):
    assert (judged["state"], judged["done"], sum(judged["findings"].values())) == ("done", 2, 2)
    page = client.get("/api/v1/findings", params={"job": judged["id"]}).json()
    assert page["total"] == 2
    assert [item["file"] for item in sorted(page["items"], key=lambda item: item["index"])] == [0, 1]
    first, second = page["items"]
    assert first["p_value"] <= second["p_value"]
    told = client.get(f"/api/v1/findings/{first['id']}").json()
    assert told["next"] == second["id"]
    names = {file["name"]: file for file in told["files"]}
    heat = np.frombuffer(client.get(names["map.bin.gz"]["url"]).content, "<f4")
    assert heat.size == np.prod(told["map"]["shape"])
    assert np.isfinite(heat).all()
    for name, file in names.items():
        answer = client.get(file["url"])
        assert answer.status_code == 200, name
        if file["media_type"].startswith("image/"):
            PIL.Image.open(io.BytesIO(answer.content)).verify()
    assert told["thumbnail"] == names["thumbnail.webp"]["url"]


def test_its_picture_stands_in_the_table_of_feedback(client, home, judged):
    page = client.get("/api/v1/findings", params={"job": judged["id"]}).json()
    client.post(f"/api/v1/findings/{page['items'][0]['id']}/feedback", json={"label": "abnormal"})
    head, row = client.get("/api/v1/feedback.csv").text.splitlines()
    values = dict(zip(head.split(","), row.split(","), strict=False))
    assert values["label"] == "abnormal"
    assert (home.path / values["path"]).is_file()


def test_nothing_is_left_of_a_deleted_job(client, home, judged):
    assert client.delete(f"/api/v1/jobs/{judged['id']}").status_code == 204
    left = [path for folder in (home.uploads, home.all_findings, home.tmp) for path in folder.rglob("*")]
    assert [path for path in left if path.is_file()] == []
    assert client.get("/api/v1/findings").json()["total"] == 0


def test_what_tells_the_threshold_is_fetched_anew_when_that_was_changed(client, screener, judged):
    finding = client.get("/api/v1/findings", params={"job": judged["id"]}).json()["items"][0]["id"]
    url = f"/api/v1/findings/{finding}/files"
    names = ("overlay.png", "report.html", "scan.png")
    before = {name: client.get(f"{url}/{name}") for name in names}
    assert {name: one.headers["cache-control"] for name, one in before.items()} == {
        "overlay.png": "private, no-cache",
        "report.html": "private, no-cache",
        "scan.png": "private, max-age=31536000, immutable",
    }
    tags = {name: {"If-None-Match": one.headers["etag"]} for name, one in before.items()}
    assert [client.get(f"{url}/{name}", headers=tags[name]).status_code for name in names] == [304] * 3
    change = {"rule": "mean+std", "parameter": 40.0}
    assert client.post(f"/api/v1/screeners/{screener.id}/threshold", json=change).status_code == 200
    after = {name: client.get(f"{url}/{name}", headers=tags[name]) for name in names}
    assert [after[name].status_code for name in names] == [200, 200, 304]
    assert after["report.html"].text != before["report.html"].text
    assert "not above the threshold" in after["report.html"].text
