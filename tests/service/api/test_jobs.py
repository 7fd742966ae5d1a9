"""Jobs from uploads and paths: taken while they come, refused with a reason, the same only once."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace

import pytest

from atypia.service.api.app import create_app
from atypia.service.api.multipart import FIELD_BYTES, Form
from atypia.service.api.problems import Problem
from atypia.service.settings import Limits
from atypia.service.store.models import Job

JOBS = "/api/v1/jobs"
PROBLEM = "application/problem+json"


def sent(*contents, name="files"):
    return [(name, (f"Doe^Jane {at}.png", content, "image/png")) for at, content in enumerate(contents)]


def kept(home):
    return sorted(path.name for path in home.uploads.rglob("*") if path.is_file())


def nothing_left(home):
    return not list(home.tmp.iterdir()) and not kept(home)


def test_an_upload_becomes_a_job_and_wakes_workers(client, home, store, screener, head_png, woken):
    answer = client.post(JOBS, files=sent(head_png(0), head_png(1)), data={"judge_all": "true"})
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert (job["state"], job["kind"], job["total"], job["screener"]) == ("queued", "upload", 2, screener.id)
    assert answer.headers["location"] == f"{JOBS}/{job['id']}"
    assert woken
    assert len(kept(home)) == 2
    assert client.get(f"{JOBS}/{job['id']}").json() == job
    assert client.get(JOBS, params={"state": "queued"}).json()["items"] == [job]
    assert client.get(JOBS, params={"state": "done"}).json()["items"] == []
    with store.session() as session:
        row = session.get_one(Job, job["id"])
        assert [file.name for file in row.files] == [None, None]  # may name a patient
        assert row.options["judge_all"] is True
        assert row.weight == 2


@pytest.mark.usefixtures("screener")
def test_split_makes_a_job_of_each_file(client, head_png):
    page = client.post(JOBS, files=sent(head_png(0), head_png(1)), data={"split": "true"}).json()
    assert [job["total"] for job in page["items"]] == [1, 1]
    assert client.post(f"{JOBS}?split=true", files=sent(head_png(0))).json()["items"][0]["total"] == 1


@pytest.mark.usefixtures("screener")
def test_names_are_kept_where_that_was_asked_for(settings, store, home, head_png, client_of):
    app = create_app(replace(settings, keep_names=True), store, home, lambda: None)
    with client_of(app) as client:
        job = client.post(JOBS, files=sent(head_png())).json()
    with store.session() as session:
        assert session.get_one(Job, job["id"]).files[0].name == "Doe^Jane 0.png"


@pytest.mark.usefixtures("screener")
def test_one_key_makes_one_job(client, head_png):
    headers = {"Idempotency-Key": "abc"}
    first = client.post(JOBS, files=sent(head_png(0)), headers=headers)
    again = client.post(JOBS, files=sent(head_png(0)), headers=headers)
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json()["id"] == first.json()["id"]
    other = client.post(JOBS, files=sent(head_png(1)), headers=headers)
    assert other.status_code == 422
    parts = {
        "files": sent(head_png(0), head_png(1)),
        "data": {"split": "1"},
        "headers": {"Idempotency-Key": "d"},
    }
    first, again = client.post(JOBS, **parts).json(), client.post(JOBS, **parts).json()
    assert [job["id"] for job in first["items"]] == [job["id"] for job in again["items"]]
    assert len(client.get(JOBS).json()["items"]) == 3


@pytest.mark.usefixtures("screener")
def test_what_is_no_scan_is_refused_and_leaves_nothing(client, home, head_png):
    answer = client.post(JOBS, files=sent(head_png(), b"%PDF-1.7 Doe^Jane"))
    assert answer.status_code == 415
    assert answer.json()["file"] == 1
    assert answer.headers["content-type"] == PROBLEM
    assert "Doe" not in answer.text
    assert str(home.path) not in answer.text
    assert nothing_left(home)


@pytest.mark.usefixtures("screener")
def test_too_much_is_refused_and_leaves_nothing(settings, store, home, head_png, client_of):
    small = replace(settings, limits=Limits(upload_bytes=20_000, files_per_job=2))
    app = create_app(small, store, home, lambda: None)
    with client_of(app) as client:
        large = client.post(JOBS, files=sent(head_png() + bytes(30_000)))
        many = client.post(JOBS, files=sent(head_png(0), head_png(1), head_png(2)))
    assert (large.status_code, many.status_code) == (413, 413)
    assert "2 files" in many.json()["detail"]
    assert nothing_left(home)


@pytest.mark.usefixtures("screener")
def test_a_full_disk_is_told(settings, store, home, head_png, client_of):
    full = replace(settings, limits=Limits(free_bytes=2**62))
    with client_of(create_app(full, store, home, lambda: None)) as client:
        answer = client.post(JOBS, files=sent(head_png()))
        ready = client.get("/readyz")
    assert answer.status_code == 507
    assert nothing_left(home)
    assert (ready.status_code, ready.json()["checks"]["room"]) == (503, False)


@pytest.mark.usefixtures("screener")
def test_a_bomb_is_refused(client, home):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(200 * 2**20))
    answer = client.post(JOBS, files=sent(file.getvalue()))
    assert answer.status_code == 413
    assert nothing_left(home)


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "text/plain"}, b"x", 415),
        ({}, b"", 415),
        ({"Content-Type": "multipart/form-data"}, b"x", 400),
        ({"Content-Type": "multipart/form-data; boundary=b"}, b"not a form", 400),
        ({"Content-Type": "multipart/form-data; boundary=b"}, b"", 400),
        ({"Content-Type": "multipart/form-data; boundary=b"}, b"--b--\r\n", 422),
        (
            {"Content-Type": "multipart/form-data; boundary=b"},
            b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n\x89PNG\r\n\x1a\n',
            400,
        ),
        (
            {"Content-Type": "multipart/form-data; boundary=b"},
            b'--b\r\nContent-Disposition: form-data; name="files"; filename=""\r\n\r\n\r\n--b--\r\n',
            422,
        ),
        ({"Content-Type": "application/json"}, b"{", 422),
        ({"Content-Type": "application/json"}, b"[]", 422),
        ({"Content-Type": "application/json"}, b'{"path": "/etc"}', 403),
    ],
)
@pytest.mark.usefixtures("screener")
def test_bodies_that_are_none(client, home, headers, body, status):
    answer = client.post(JOBS, content=body, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    assert nothing_left(home)


@pytest.mark.usefixtures("screener")
def test_fields_are_checked(client, home, head_png):
    for data in ({"results": "seg,pdf"}, {"judge_all": "perhaps"}, {"screener": "0" * 32}):
        assert client.post(JOBS, files=sent(head_png()), data=data).status_code == 422
        assert nothing_left(home)
    job = client.post(JOBS, files=sent(head_png()), data={"results": "SEG, sr,seg"}).json()
    assert job["state"] == "queued"


def test_without_a_screener_there_is_no_job(client, home, head_png):
    answer = client.post(JOBS, files=sent(head_png()))
    assert (answer.status_code, answer.json()["title"]) == (409, "No Screener")
    assert nothing_left(home)


@pytest.mark.usefixtures("screener")
def test_a_full_queue_says_so(settings, store, home, head_png, client_of):
    with client_of(
        create_app(replace(settings, limits=Limits(queued_jobs=1)), store, home, lambda: None)
    ) as client:
        assert client.post(JOBS, files=sent(head_png(0))).status_code == 202
        answer = client.post(JOBS, files=sent(head_png(1)))
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "30"


@pytest.mark.usefixtures("screener")
def test_paths_below_a_root_become_jobs(settings, store, home, head_png, tmp_path, client_of):
    root = tmp_path / "archive"
    root.mkdir()
    (root / "a.png").write_bytes(head_png())
    (root / "out").symlink_to("/etc")
    app = create_app(replace(settings, roots=(root,)), store, home, lambda: None)
    with client_of(app) as client:
        answer = client.post(JOBS, json={"path": "a.png", "results": ["seg"]})
        assert answer.status_code == 202
        assert answer.json()["kind"] == "path"
        assert str(root) not in answer.text
        for path in ("../service/key", "/etc/passwd", "out/passwd", "missing.png"):
            refused = client.post(JOBS, json={"path": path})
            assert refused.status_code == 404
            assert str(root) not in refused.text


@pytest.mark.usefixtures("store", "screener")
def test_a_waiting_job_is_cancelled_and_an_ended_one_deleted(client, home, head_png):
    job = client.post(JOBS, files=sent(head_png())).json()["id"]
    assert client.delete(f"{JOBS}/{job}").json()["state"] == "cancelled"
    assert client.delete(f"{JOBS}/{job}").status_code == 204
    assert client.get(f"{JOBS}/{job}").status_code == 404
    assert client.delete(f"{JOBS}/{job}").status_code == 404
    assert nothing_left(home)


@pytest.mark.usefixtures("store")
def test_deleting_a_job_deletes_all_that_derives_from_it_and_nothing_else(
    client, home, job, add_finding, head_png
):
    mine = add_finding(files={"scan.png": b"x"})
    client.post(f"/api/v1/findings/{mine.id}/feedback", json={"label": "healthy"})
    first = client.post(JOBS, files=sent(head_png())).json()["id"]
    second = client.post(JOBS, files=sent(head_png())).json()["id"]
    client.delete(f"{JOBS}/{first}")
    client.delete(f"{JOBS}/{first}")
    assert len(kept(home)) == 1  # the second job needs it
    assert client.delete(f"{JOBS}/{job.id}").status_code == 204
    assert not home.findings(mine.id).exists()
    assert client.get(f"/api/v1/findings/{mine.id}").status_code == 404
    assert client.get(f"{JOBS}/{second}").status_code == 200


def test_a_form_in_pieces_is_the_same_form():
    body = (
        b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nvalue\r\n'
        b'--b\r\nContent-Disposition: form-data; name="f"; filename="x"\r\n\r\n\r\n--c\r\nend\r\n--b--\r\n'
    )
    for size in (1, 2, 7, 1000):
        sinks = []
        form = Form(b"b", lambda name: sinks.append(Memory(name)) or sinks[-1], 5)  # noqa: B023
        for at in range(0, len(body), size):
            form.feed(body[at : at + size])
        form.end()
        assert form.field("a") == "value"
        assert (form.files, form.names) == ([b"\r\n--c\r\nend"], ["x"])


def test_fields_of_a_form_are_bounded():
    form = Form(b"b", Memory, 5)
    form.feed(b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n')
    with pytest.raises(Problem, match="bytes together"):
        form.feed(bytes(FIELD_BYTES + 10))


class Memory:
    def __init__(self, name):
        self.name, self.content = name, b""

    def write(self, chunk):
        self.content += chunk

    def finish(self):
        return self.content

    def discard(self):
        self.content = b""
