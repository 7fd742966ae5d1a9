"""Results reach peers of both kinds; those that are away or refuse get them later, or never."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pynetdicom import AE, evt
from pynetdicom.sop_class import MRImageStorage
from sqlalchemy import select

from atypia.service.node import deliveries
from atypia.service.node.sending import Sender
from atypia.service.node.settings import Peer
from atypia.service.store import models
from atypia.service.store.models import Delivery, Finding, Job, Study


@dataclass
class Web:
    """A STOW-RS service that answers as it is told."""

    url: str = ""
    status: int = 200
    answer: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def web() -> Iterator[Web]:
    told = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.asked.append((self.path, dict(self.headers), body))
            self.send_response(told.status)
            for name, value in told.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(told.answer)))
            self.end_headers()
            self.wfile.write(told.answer)

        def log_message(self, *_given: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_port}/dicom-web/"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield told
    server.shutdown()
    server.server_close()
    thread.join()


@dataclass
class Archive:
    """A peer that takes C-STORE and answers with one status after another; the last for all that follow."""

    port: int = 0
    statuses: list[int] = field(default_factory=lambda: [0])
    taken: list[str] = field(default_factory=list)


@pytest.fixture
def archive() -> Iterator[Archive]:
    told = Archive()

    def store(event: Any) -> int:
        status = told.statuses.pop(0) if len(told.statuses) > 1 else told.statuses[0]
        if status == 0:
            told.taken.append(event.request.AffectedSOPInstanceUID)
        return status

    entity = AE("ARCHIVE")
    entity.require_called_aet = True
    entity.add_supported_context(MRImageStorage)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    told.port = server.server_address[1]
    yield told
    server.shutdown()


@pytest.fixture
def queued(store, home, write_study):
    """`queued(count)` puts so many results of a finding on their way to `pacs`."""

    def put(count: int) -> list[str]:
        with store.write() as session:
            screener = models.Screener(
                name="q", sha256="0" * 64, detector="atlas", version="1", rule="quantile", threshold=1.0
            )
            study = Study(key="0" * 64)
            session.add_all([screener, study])
            session.flush()
            job = Job(kind="study", state="done", screener=screener.id, study=study.id)
            session.add(job)
            session.flush()
            finding = Finding(
                job=job.id, screener=screener.id, index=0, label="s", kind="volume", verdict="normal"
            )
            session.add(finding)
            session.flush()
            files = write_study(home.findings(finding.id) / "dicom", count=count, size=8)
            made = [
                Delivery(
                    job=job.id, finding=finding.id, study=study.id, peer="pacs", file=f"dicom/{file.name}"
                )
                for file in files
            ]
            session.add_all(made)
            session.flush()
            return [one.id for one in made]

    return put


def dicom(port: int, **more: Any) -> Peer:
    return replace(
        Peer("pacs", host="127.0.0.1", port=port, ae_title="ARCHIVE", timeout=3, first_wait=0.001), **more
    )


def stow(url: str, **more: Any) -> Peer:
    return replace(Peer("pacs", kind="stow", url=url, timeout=3, first_wait=0.001), **more)


def send(peer, store, home) -> list[tuple[str, int, str | None]]:
    Sender(peer, store, home, "ATYPIA").send_due()
    with store.session() as session:
        rows = list(session.scalars(select(Delivery).order_by(Delivery.file)))
    return [(row.state, row.attempts, row.error) for row in rows]


def test_they_are_stored_by_c_store(archive, queued, store, home):
    queued(5)
    assert send(dicom(archive.port), store, home) == [("sent", 1, None)] * 5
    assert len(set(archive.taken)) == 5
    assert send(dicom(archive.port), store, home) == [("sent", 1, None)] * 5
    assert len(archive.taken) == 5, "none twice"


def test_several_senders_send_each_once(archive, queued, store, home):
    queued(12)
    peer = dicom(archive.port)
    threads = [threading.Thread(target=send, args=(peer, store, home)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(archive.taken) == len(set(archive.taken)) == 12


def test_one_that_is_refused_does_not_hold_up_the_others(archive, queued, store, home):
    queued(3)
    archive.statuses = [0xA700, 0, 0xB000, 0]
    told = send(dicom(archive.port), store, home)
    assert sorted(state for state, _, _ in told) == ["pending", "sent", "sent"]
    (error,) = [error for state, _, error in told if state == "pending"]
    assert "0xA700" in error
    assert [state for state, _, _ in send(dicom(archive.port), store, home)] == ["sent"] * 3


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # of pynetdicom, where nobody answers
@pytest.mark.parametrize("how", ["nobody", "title", "kind", "gone", "silent"])
def test_a_peer_that_does_not_take_them_is_told_of_and_then_they_are_dead(archive, queued, store, home, how):
    queued(1)
    peer = dicom(archive.port, tries=2, timeout=0.5)
    silent = socket.create_server(("127.0.0.1", 0))
    words = {
        "nobody": "does not answer",
        "title": "refused",
        "kind": "no objects of this kind",
        "gone": "not there",
        "silent": "does not speak DICOM",
    }[how]
    if how == "nobody":
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            peer = replace(peer, port=free.getsockname()[1])
    elif how == "silent":
        peer = replace(peer, port=silent.getsockname()[1])
    elif how == "title":
        peer = replace(peer, ae_title="ANOTHER")
    elif how == "kind":
        import pydicom

        for file in home.all_findings.rglob("*.dcm"):
            data = pydicom.dcmread(file)
            data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
            pydicom.dcmwrite(file, data)
    else:
        for file in home.all_findings.rglob("*.dcm"):
            file.unlink()
    try:
        ((state, attempts, error),) = send(peer, store, home)
        assert (state, attempts) == ("pending", 1)
        assert words in error
        assert str(home.path) not in error
        assert send(peer, store, home)[0][:2] == ("dead", 2)
        assert send(peer, store, home)[0][:2] == ("dead", 2)
    finally:
        silent.close()


def test_what_is_for_a_peer_that_is_no_more_is_dead(archive, queued, store, home):
    queued(2)
    with store.write() as session:
        assert deliveries.bury(session, {"pacs"}) == 0
        assert deliveries.bury(session, {"another"}) == 2
    told = send(dicom(archive.port), store, home)
    assert [state for state, _, _ in told] == ["dead"] * 2
    assert "No peer of this name" in told[0][2]


def test_they_are_stored_by_stow(web, queued, store, home):
    queued(3)
    assert send(stow(web.url, token="secret"), store, home) == [("sent", 1, None)] * 3
    paths = {path for path, _, _ in web.asked}
    assert paths == {"/dicom-web/studies"}
    _, headers, body = web.asked[0]
    assert headers["Authorization"] == "Bearer secret"
    assert headers["Content-Type"].startswith('multipart/related; type="application/dicom"; boundary=')
    edge = headers["Content-Type"].rpartition("=")[2].encode()
    assert body.startswith(
        b"--" + edge + b"\r\nContent-Type: application/dicom\r\n\r\n" + bytes(128) + b"DICM"
    )
    assert body.endswith(b"\r\n--" + edge + b"--\r\n")


REFUSED = json.dumps(
    {"00081198": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [42752]}}]}}
).encode()


@pytest.mark.parametrize(
    ("status", "answer", "words"),
    [
        (202, REFUSED, "0xA700"),
        (200, REFUSED, "0xA700"),
        (202, b"what", "may not have taken it"),
        (409, REFUSED, "409"),
        (401, b"", "401"),
        (500, b"x" * 3_000_000, "500"),
        (302, b"", "302"),
    ],
)
def test_what_stow_answers_is_understood(web, queued, store, home, status, answer, words):
    queued(1)
    web.status, web.answer = status, answer
    web.headers = {"Location": "http://127.0.0.1:9/elsewhere"}
    ((state, _, error),) = send(stow(web.url, user="u", password="p"), store, home)
    assert state == "pending"
    assert words in error
    assert len(web.asked) == 1
    assert web.asked[0][1]["Authorization"].startswith("Basic ")


def test_a_stow_peer_that_is_away_gets_them_later(web, queued, store, home):
    queued(2)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        away = f"http://127.0.0.1:{free.getsockname()[1]}/"
    told = send(stow(away), store, home)
    assert [state for state, _, _ in told] == ["pending"] * 2
    assert "ConnectError" in told[0][2]
    assert send(stow(web.url), store, home) == [("sent", 2, None)] * 2


def test_nothing_outside_the_folder_of_a_finding_is_sent(web, queued, store, home):
    (one,) = queued(1)
    (home.path / "secret.dcm").write_bytes(b"secret")
    with store.write() as session:
        session.get(Delivery, one).file = "../../secret.dcm"
    assert send(stow(web.url), store, home)[0][0] == "pending"
    assert web.asked == []


def test_a_sender_that_is_stopped_gives_back_what_it_did_not_try(archive, queued, store, home):
    queued(3)
    sender = Sender(dicom(archive.port), store, home, "ATYPIA")
    sender.stop()
    sender.send_due()
    assert archive.taken == []
    assert [state for state, _, _ in send(dicom(archive.port), store, home)] == ["sent"] * 3
