"""Bad input, sent to a whole server: each is told in plain words, and does no harm to anybody else."""

from __future__ import annotations

import gzip
import io
import json
import os
import socket
import sqlite3
import struct
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import httpx
import nibabel
import numpy as np
import pydicom
import pytest
from click.testing import CliRunner
from PIL import Image
from pydicom.uid import generate_uid
from pynetdicom import AE
from sqlalchemy.exc import OperationalError

from atypia.cli.main import commands
from atypia.service import intake
from atypia.service.home import Home
from atypia.service.store import queue
from atypia.service.store.database import Store
from atypia.service.store.models import File, Finding, Job
from atypia.service.work.worker import Worker

MR = "1.2.840.10008.5.1.4.1.1.4"
JSON = {"Content-Type": "application/json"}
SETTINGS = """
[limits]
upload_bytes = 2000000
files_per_job = 40
archive_entries = 300
[access]
header_seconds = 1.0
body_seconds = 1.0
[node]
port = 0
timeout = 2.0
associations = 2
quiet_seconds = 1.0
"""


@pytest.fixture(scope="module")
def room(open_room):
    room = open_room(SETTINGS)
    yield room
    # Whatever was sent: no call failed in a way that nobody thought of, nothing is left half done.
    told = [json.loads(line) for line in list(room.log)]
    assert [one for one in told if one.get("status") in (0, 500)] == []
    assert [one for one in told if one["event"] in ("unexpected", "request.failed", "worker ended")] == []
    room.until(lambda: not list((room.data / "tmp").iterdir()))
    assert room.close() == 0


@pytest.fixture(scope="module")
def picture(head_png: Callable[..., bytes]) -> Callable[..., bytes]:
    def draw(seed: int = 0, kind: str = "PNG") -> bytes:
        file = io.BytesIO()
        Image.open(io.BytesIO(head_png(seed, size=48))).save(file, kind)
        return file.getvalue()

    return draw


@pytest.fixture(scope="module")
def volume(draw_heads) -> bytes:
    heads, _ = draw_heads(6, size=32)
    return nibabel.Nifti1Image(np.float32(heads.transpose(1, 2, 0)), np.diag([5, 5, 5, 1])).to_bytes()


@pytest.fixture(scope="module")
def series(draw_heads) -> Callable[..., list[bytes]]:
    def draw(study: str | None = None, count: int = 5, pixels: bool = True) -> list[bytes]:
        heads, _ = draw_heads(count, size=32)
        study, series, written = study or generate_uid(), generate_uid(), []
        for index, head in enumerate(heads):
            data = pydicom.Dataset()
            data.file_meta = pydicom.dataset.FileMetaDataset()
            data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
            data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = MR
            data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
            data.StudyInstanceUID, data.SeriesInstanceUID, data.Modality = study, series, "MR"
            data.SeriesNumber, data.InstanceNumber = 3, index + 1
            data.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"]
            data.ImagePositionPatient, data.ImageOrientationPatient = [0, 0, 5 * index], [1, 0, 0, 0, 1, 0]
            data.PixelSpacing, data.SliceThickness = [5, 5], 5
            data.Rows, data.Columns = head.shape
            data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = (
                1,
                "MONOCHROME2",
                0,
            )
            data.BitsAllocated, data.BitsStored, data.HighBit = 16, 12, 11
            if pixels:
                data.PixelData = np.uint16(4000 * head).tobytes()
            file = io.BytesIO()
            pydicom.dcmwrite(file, data, enforce_file_format=True)
            written.append(file.getvalue())
        return written

    return draw


def zipped(*entries: tuple[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return file.getvalue()


def linked() -> bytes:
    entry = zipfile.ZipInfo("scan.png")
    entry.external_attr = 0o120777 << 16
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    return file.getvalue()


def is_problem(answer: httpx.Response, status: int, words: str = "") -> bool:
    told = answer.json()
    plain = answer.headers["content-type"] == "application/problem+json" and told["title"]
    return bool(plain) and answer.status_code == told["status"] == status and words in answer.text


def test_what_is_cut_short_costs_its_own_row_and_no_other(room, picture, volume, series):
    whole = [
        ("a.png", picture()),
        ("a.jpg", picture(kind="JPEG")),
        ("a.tif", picture(kind="TIFF")),
        ("a.bmp", picture(kind="BMP")),
        ("a.webp", picture(kind="WEBP")),
        ("a.nii", volume),
        ("a.nii.gz", gzip.compress(volume)),
    ]
    cut = [(name, content[: int(len(content) * share)]) for name, content in whole for share in (0.4, 0.9)]
    job, rows = room.ended(room.send(*cut, ("good.png", picture(1))))
    assert [row["verdict"] == "unreadable" for row in rows] == [*[True] * len(cut), False]
    assert [row["file"] for row in rows] == list(range(len(cut) + 1))
    for row in rows[:-1]:
        assert row["error"].startswith(f"{job['label']}, file {row['file'] + 1}: expected")
        assert "/" not in row["error"].replace("pixels/", "")
    job, (row,) = room.ended(room.send(("a.dcm", series()[0][:-500])))
    assert (row["verdict"], "cut short" in row["error"]) == ("unreadable", True)
    assert is_problem(room.send(("a.zip", zipped(("a.png", picture()))[:-30])), 422, "Broken archive")


def refused(picture: bytes) -> dict[str, tuple[bytes, int, str]]:
    return {
        "too large": (picture + bytes(2_100_000), 413, "at most 2000000 bytes"),
        "a bomb": (zipped(("a.png", picture + bytes(80_000_000))), 413, "bomb"),
        "too many entries": (zipped(*((f"{n}.png", b"") for n in range(301))), 413, "at most 300 files"),
        "climbs out": (zipped(("a/../../x.png", picture)), 422, "leads out"),
        "climbs out, in Windows": (zipped(("..\\x.png", picture)), 422, "leads out"),
        "absolute": (zipped(("/etc/x.png", picture)), 422, "absolute"),
        "absolute, in Windows": (zipped(("C:\\x.png", picture)), 422, "absolute"),
        "a link": (linked(), 422, "link"),
        "empty": (b"", 415, "empty file"),
        "a web page": (b"<html><script>alert(1)</script>", 415, "web page"),
        "a program": (b"\x7fELF" + bytes(500), 415, "another kind"),
    }


def test_what_cannot_be_taken_is_refused_with_the_reason_and_not_kept(room, picture):
    before = sorted((room.data / "uploads").rglob("*.*"))
    for what, (content, status, words) in refused(picture()).items():
        assert is_problem(room.send(("DOE^JOHN.png", content)), status, words), what
    assert is_problem(room.send(*[("a.png", picture(2))] * 41), 413, "at most 40 files")
    assert sorted((room.data / "uploads").rglob("*.*")) == before


def lying(volume: bytes, *shape: int) -> bytes:
    header = bytearray(volume)
    struct.pack_into("<4h", header, 40, 3, *shape)
    return bytes(header)


def test_what_lies_of_itself_is_told_when_it_is_judged(room, picture, volume, series):
    odd = [
        (name, picture()) for name in ("a\nb.png", "né\u202e.png", "x" * 250 + ".png", "-rf.png", "a;`b`.png")
    ]
    for what, content, told in (
        ("odd names", zipped(*odd), ["judged"] * 5),
        ("nested", zipped(("inner.zip", zipped(("a.png", picture()))), ("a.png", picture())), ["judged"]),
        ("nothing in it", zipped(), ["unreadable"]),
        ("no scans in it", zipped(*((f"{n}.png", b"x") for n in range(290))), ["unreadable"]),
        ("tiny files", zipped(*((f"{n}.png", picture()[:8]) for n in range(200))), ["unreadable"] * 200),
        ("huge volume", lying(volume, 32000, 32000, 32000), ["unreadable"]),
        ("huge volume, packed", gzip.compress(lying(volume, 32000, 32000, 32000)), ["unreadable"]),
        ("negative size", lying(volume, -5, 0, 7), ["unreadable"]),
        ("no numbers", volume[:352] + struct.pack("<f", float("nan")) * (6 * 32 * 32), ["unreadable"]),
        ("grows a lot", gzip.compress(volume + bytes(100_000_000)), ["judged"]),
    ):
        job, rows = room.ended(room.send(("a", content)))
        verdicts = ["judged" if row["score"] is not None else row["verdict"] for row in rows]
        assert (job["state"], verdicts) == ("done", told), what
    _, (row,) = room.ended(room.send(*((f"{n}.dcm", one) for n, one in enumerate(series(pixels=False)))))
    assert "without pixels" in row["error"]


QUERIES = (
    "findings?limit=-1", "findings?limit=0", "findings?limit=99999999999999999999", "jobs?limit=x",
    "findings?cursor=xxx", "findings?cursor=" + "A" * 501, "findings?p_min=nan", "findings?p_max=1e400",
    "findings?q=%00", "findings?q=" + "x" * 201, "findings?since=yesterday", "findings?sort=id;drop",
    "findings?since=9999-12-31T23:59:59-23:59", "audit?since=9999-12-31T23:59:59-23:59", "findings?job=..",
    "findings?" + "verdict=normal&" * 500, "events?since=-1", "drift?window=-1", "findings/" + "g" * 32,
)  # fmt: skip


def test_questions_that_make_no_sense_are_told_so(room):
    for query in QUERIES:
        assert is_problem(room.client.get(f"/api/v1/{query}"), 422), query
    assert is_problem(room.client.get("/api/v1/findings?q=" + "x" * 40_000), 431)
    assert is_problem(room.client.get("/api/v1/jobs/..%2f..%2fkey"), 400)
    assert is_problem(room.client.get("/api/v1/nothing"), 404)
    assert is_problem(room.client.request("PATCH", "/api/v1/jobs"), 405)
    assert room.client.get("/api/v1/findings?q=%F0%9F%98%80%25_%5c").json()["total"] == 0
    assert room.client.get("/api/v1/findings?since=0001-01-01").status_code == 200


def form(*parts: bytes) -> bytes:
    return b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\n"


def test_bodies_that_are_none_are_told_so(room, picture):
    head = b'Content-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    multipart = {"Content-Type": "multipart/form-data; boundary=b"}
    for headers, body, status in (
        (JSON, b"{", 422), (JSON, b"[" * 100_000, 422), (JSON, b'{"path": "a\\u0000b"}', 422),
        (JSON, b'{"path": "\\ud800"}', 422), (JSON, b'{"path": "\xff"}', 422), (JSON, b"\xff\xfe{\0", 422),
        (JSON, b'{"path": "../../etc/passwd"}', 403), ({"Content-Type": "text/xml"}, b"<a/>", 415),
        ({"Content-Type": "multipart/form-data"}, b"x", 400), (multipart, b"xxxx", 400),
        (multipart, form(head + picture())[:300], 400), (multipart, form(b"\r\nx"), 422),
        (multipart, form(b"X: " + b"a" * 20_000 + b"\r\n\r\nx"), 400),
        (multipart, form(*[b'Content-Disposition: form-data; name="a"\r\n\r\n' + bytes(900)] * 100), 413),
    ):  # fmt: skip
        answer = room.client.post("/api/v1/jobs", content=body, headers=headers)
        assert is_problem(answer, status), (body[:40], answer.text)


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def seconds_until_closed(connection: socket.socket) -> float:
    begun = time.monotonic()
    try:
        while connection.recv(65536):
            pass
    except ConnectionError:
        pass
    finally:
        connection.close()
    return time.monotonic() - begun


def test_slow_clients_hold_nobody_up(room, picture):
    port = httpx.URL(room.url).port
    host = f"Host: 127.0.0.1:{port}\r\n".encode()
    body = b"POST /api/v1/jobs HTTP/1.1\r\n" + host + b"Content-Type: multipart/form-data; boundary=b\r\n"
    for begun in (b"", b"GET / HTTP/1.1\r\n" + host + b"X", body + b"Content-Length: 1000000\r\n\r\n--b\r\n"):
        slow = [connect(port) for _ in range(30)]
        for one in slow:
            one.sendall(begun)
        assert room.client.get("/healthz").status_code == 200
        assert room.ended(room.send(("a.png", picture())))[0]["state"] == "done"
        assert max(seconds_until_closed(one) for one in slow) < 6
    assert not list((room.data / "tmp").iterdir())


def test_deleting_at_once_and_while_others_look_harms_nobody(room, picture):
    answers = [room.send(*(("a.png", picture(seed)) for seed in range(4))) for _ in range(3)]
    kept, *jobs = [room.ended(answer)[1] for answer in answers]
    calls = [("DELETE", f"/api/v1/jobs/{rows[0]['job']}") for rows in jobs] * 4
    calls += [("DELETE", f"/api/v1/findings/{row['id']}") for rows in jobs for row in rows] * 2
    names = ("scan.png", "overlay.png", "report.html", "map.bin.gz", "thumbnail.webp")
    calls += [("GET", f"/api/v1/findings/{row['id']}/files/{name}") for name in names for row in jobs[0]]
    calls += [("PUT", f"/api/v1/findings/{row['id']}/review") for row in jobs[1]]
    calls += [("POST", f"/api/v1/findings/{row['id']}/feedback") for row in jobs[1]]
    contents = {"PUT": b'{"state": "accepted"}', "POST": b'{"label": "healthy"}'}

    def call(one: tuple[str, str]) -> int:
        return room.client.request(*one, content=contents.get(one[0]), headers=JSON).status_code

    with ThreadPoolExecutor(12) as threads:
        statuses = list(threads.map(call, calls[::2] + calls[1::2]))
    assert set(statuses) <= {200, 201, 204, 404}
    assert all(
        room.client.get(f"/api/v1/findings?job={rows[0]['job']}").json()["total"] == 0 for rows in jobs
    )
    for row in kept:  # of the same uploads
        for name in names:
            answer = room.client.get(f"/api/v1/findings/{row['id']}/files/{name}")
            assert answer.status_code == 200, (name, answer.text)
    folders = {path.name for path in (room.data / "findings").iterdir()}
    assert not folders & {row["id"] for rows in jobs for row in rows}


def test_a_study_that_is_uploaded_twice_is_judged_twice_and_alike(room, series):
    archive = zipped(*((f"DOE/{n}.dcm", one) for n, one in enumerate(series())))
    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(lambda _: room.send(("a.zip", archive)), range(2)))
    (first, (one,)), (second, (other,)) = (room.ended(answer) for answer in answers)
    assert first["id"] != second["id"]
    assert (one["score"], one["p_value"]) == (other["score"], other["p_value"])
    assert room.client.delete(f"/api/v1/jobs/{first['id']}").status_code == 204
    assert room.client.get(f"/api/v1/findings/{other['id']}/files/scan.nii.gz").status_code == 200


def test_a_screener_that_is_in_use_is_not_deleted_and_one_that_is_retired_takes_no_more(room, picture):
    (screener,) = [one for one in room.client.get("/api/v1/screeners").json() if one["default"]]
    place = f"/api/v1/screeners/{screener['id']}"
    waiting = [room.send(*(("a.png", picture(seed)) for seed in range(10))) for _ in range(3)]
    assert is_problem(room.client.delete(place), 409, "Retire it")
    assert room.client.put(place, json={"retired": True}).status_code == 200
    assert is_problem(room.send(("a.png", picture())), 409, "no default Screener")
    assert is_problem(room.send(("a.png", picture()), screener=screener["id"]), 409, "retired")
    assert all(room.ended(answer)[0]["findings"]["unreadable"] == 0 for answer in waiting)
    assert room.client.put(place, json={"retired": False, "default": True}).status_code == 200
    content = zipped(("screener.json", b"[" * 9999))
    answer = room.client.post("/api/v1/screeners", files={"file": ("DOE^JOHN.atypia", content)})
    assert is_problem(answer, 422, "Not a Screener"), answer.text


def test_a_threshold_changed_while_jobs_are_judged_loses_nothing(room, picture):
    (screener,) = [one for one in room.client.get("/api/v1/screeners").json() if one["default"]]
    waiting = [room.send(*(("a.png", picture(seed)) for seed in range(10))) for _ in range(6)]
    place = f"/api/v1/screeners/{screener['id']}/threshold"
    changed = room.client.post(place, json={"rule": "quantile", "parameter": 0.8})
    assert changed.status_code == 200, changed.text
    ended = [room.ended(answer) for answer in waiting]
    assert [(job["state"], len(rows)) for job, rows in ended] == [("done", 10)] * 6
    new = changed.json()["screener"]["id"]
    assert {row["screener"] for _, rows in ended for row in rows} <= {screener["id"], new}
    place = f"/api/v1/screeners/{new}/threshold"
    for rule, parameter, status in (("quantile", 1e308, 422), ("mean+std", 1e300, 200)):
        answer = room.client.post(f"{place}/preview", json={"rule": rule, "parameter": parameter})
        assert answer.status_code == status, answer.text


def associate(room, title: str = "ATYPIA") -> bool:
    entity = AE("SENDER")
    entity.add_requested_context("1.2.840.10008.1.1")
    association = entity.associate("127.0.0.1", room.dicom_port, ae_title=title)
    try:
        return association.is_established and association.send_c_echo().Status == 0
    finally:
        if association.is_established:
            association.release()


def test_abuse_of_associations_ends_them_and_no_other(room):
    request = bytes([1, 0]) + struct.pack(">L", 2**31)
    abuse = [b"GET / HTTP/1.1\r\n\r\n", os.urandom(4096), request, bytes([4, 0, 0, 0, 0, 9]), b"\x01\x00\x00"]
    connections = [connect(room.dicom_port) for _ in range(20)]
    for number, connection in enumerate(connections):
        try:
            connection.sendall(abuse[number % len(abuse)])
        except ConnectionError:
            continue
    assert max(seconds_until_closed(connection) for connection in connections) < 12
    assert not associate(room, "STRANGER")
    room.until(lambda: associate(room), 20)


def serve(data: Path, *words: object) -> tuple[int, str]:
    result = CliRunner().invoke(commands, ["serve", "--data", str(data), "--port", "0", *map(str, words)])
    return result.exit_code, result.output


def test_a_data_folder_that_cannot_be_used_is_told_before_anything_is_served(tmp_path, quick_file):
    (tmp_path / "file").write_text("no folder")
    made = {name: tmp_path / name for name in ("garbage", "newer", "foreign", "key")}
    for folder in made.values():
        folder.mkdir()
    (made["garbage"] / "atypia.sqlite").write_bytes(b"garbage" * 1000)
    (made["key"] / "key").write_bytes(b"")
    for name, statement in (
        ("newer", "CREATE TABLE alembic_version AS SELECT 'v9999' AS version_num"),
        ("foreign", "CREATE TABLE jobs (a)"),
    ):
        connection = sqlite3.connect(made[name] / "atypia.sqlite")
        connection.execute(statement)
        connection.commit()
        connection.close()
    for folder, code, words in (
        (tmp_path / "file", 6, "could not be written"),
        (made["garbage"], 4, "damaged"),
        (made["newer"], 4, "later version"),
        (made["foreign"], 4, "another program's"),
        (made["key"], 6, "expected the 32 bytes of the key"),
    ):
        told = serve(folder, quick_file)
        assert told[0] == code, told
        assert words in told[1]
        assert "Traceback" not in told[1]


@pytest.mark.parametrize("left", [0, 200_000])
def test_a_disk_that_is_full_is_told_and_what_was_accepted_goes_on_when_there_is_room(
    small_disk, settings, screener_file, described, picture, left
):
    home = Home(small_disk / "data")
    home.make()
    settings = replace(settings, data=home.path, limits=replace(settings.limits, free_bytes=0, work_bytes=0))
    store = Store(None, home)
    store.migrate()
    filler = small_disk / "filler"
    try:
        screener = _registered(home, store, screener_file, described)
        jobs = [_queued(settings, home, store, screener, picture, number) for number in range(2)]
        filler.write_bytes(bytes(home.free_bytes() - left))
        with pytest.raises(intake.Refused, match="disk is full"):
            intake.accept(settings, home, [picture(), bytes(10**6)], "a.png")
        with suppress(OperationalError):  # the process of a worker waits a while then
            Worker(settings, store, home).drain()
        filler.unlink()
        with store.write() as session:
            queue.abandoned(session)
        Worker(settings, store, home).drain()
        with store.session() as session:
            ended = [session.get_one(Job, job) for job in jobs]
            rows = session.query(Finding).count()
        for job in ended:
            assert job.state == "done" or "disk is full" in (job.error or ""), (job.state, job.error)
        assert rows == 8 * sum(job.state == "done" for job in ended)
        assert len(list(home.all_findings.iterdir())) == rows
        assert not list(home.tmp.iterdir())
    finally:
        store.close()


def _registered(home: Home, store: Store, file: Path, described: dict[str, object]) -> str:
    from atypia.service.store import screeners

    sha256 = screeners.keep(home, file)
    with store.write() as session:
        return screeners.register(session, sha256, described, name="quick", size=1).id


def _queued(settings, home: Home, store: Store, screener: str, picture, number: int) -> str:
    files = []
    for index in range(8):
        taken = intake.accept(settings, home, [picture(100 * number + index)], "a.png")
        files.append(
            File(index=index, kind=taken.kind, sha256=taken.sha256, bytes=taken.size, suffix=taken.suffix)
        )
    with store.write() as session:
        job = Job(kind="upload", screener=screener, files=files, total=8, label=f"upload {number}")
        return queue.enqueue(session, job).id


def test_a_screener_whose_file_is_damaged_is_put_right_at_the_next_start(home, screener_file):
    from atypia.service.store import screeners

    sha256 = screeners.keep(home, screener_file)
    home.screener(sha256).write_bytes(b"damaged")
    assert screeners.keep(home, screener_file) == sha256
    assert home.screener(sha256).read_bytes() == screener_file.read_bytes()


def test_jobs_without_tries_left_end_also_where_they_wait(store, screener):
    with store.write() as session:
        job = queue.enqueue(session, Job(kind="upload", screener=screener.id, attempts=3)).id
    with store.write() as session:
        assert queue.claim(session, "worker", 60) == []
        assert queue.sweep(session) == [job]
