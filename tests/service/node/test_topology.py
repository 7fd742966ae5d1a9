"""The whole way with the real programs on loopback: sent to the node, judged, results in an archive."""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import subprocess
import sysconfig
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pydicom
import pytest
from sqlalchemy import select

from atypia.service import node
from atypia.service.node.settings import NodeSettings, Peer
from atypia.service.node.studies import supersede
from atypia.service.store import screeners
from atypia.service.store.models import Delivery, Finding, Job, Study
from atypia.service.work.worker import Worker

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
DEPLOYED = Path(__file__).resolve().parents[3] / "deploy" / "serve"
SECONDS = 30
REPORT, CAPTURE = "1.2.840.10008.5.1.4.1.1.88.34", "1.2.840.10008.5.1.4.1.1.7"


def until(true: Callable[[], bool], seconds: float = SECONDS) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.1)
    return true()


def program(name: str) -> str:
    # Not what Python packages bring under the same name: pynetdicom has a storescu of its own.
    ours = Path(sysconfig.get_path("scripts"))
    places = [place for place in os.environ["PATH"].split(os.pathsep) if Path(place) != ours]
    found = shutil.which(name, path=os.pathsep.join([*places, "/usr/sbin"]))
    if found is None:
        pytest.skip(f"{name} is not installed: apt-get install dcmtk orthanc orthanc-dicomweb")
    return found


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@dataclass(frozen=True)
class Archive:
    """An Orthanc that runs on this machine alone."""

    http: str
    dicom_port: int

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.http + path, timeout=SECONDS) as answer:
            return bytes(answer.read())

    def objects(self) -> list[pydicom.Dataset]:
        found = json.loads(self.get("/instances"))
        return [pydicom.dcmread(io.BytesIO(self.get(f"/instances/{one}/file"))) for one in found]


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    started, folder = program("Orthanc"), tmp_path_factory.mktemp("orthanc")
    http, dicom = free_port(), free_port()
    settings = {
        "StorageDirectory": str(folder / "db"),
        "IndexDirectory": str(folder / "db"),
        "HttpPort": http,
        "DicomPort": dicom,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomAlwaysAllowStore": True,
        "Plugins": [str(PLUGIN)] if PLUGIN.exists() else [],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        "DicomAet": "ORTHANC",
        "StableAge": 1,
        "LuaScripts": [str(DEPLOYED / "to-atypia.lua")],
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "log.txt").open("w") as log:
        server = subprocess.Popen([started, str(folder / "orthanc.json")], stdout=log, stderr=log)
    archive = Archive(f"http://127.0.0.1:{http}", dicom)

    def answers() -> bool:
        try:
            return bool(archive.get("/system"))
        except (urllib.error.URLError, ConnectionError):
            return server.poll() is not None

    try:
        assert until(answers)
        assert server.poll() is None, (folder / "log.txt").read_text()[-2000:]
        yield archive
    finally:
        server.terminate()
        server.wait(SECONDS)


@pytest.fixture
def empty(orthanc: Archive) -> Iterator[Archive]:
    yield orthanc
    for patient in json.loads(orthanc.get("/patients")):
        request = urllib.request.Request(f"{orthanc.http}/patients/{patient}", method="DELETE")
        urllib.request.urlopen(request, timeout=SECONDS).close()


@pytest.fixture
def room(
    any_store, home, settings, screener_file, described
) -> Iterator[Callable[..., tuple[node.Node, Worker]]]:
    """`room(*peers)` starts a node that sends to peers, and gives it with a worker that judges on demand."""
    sha256 = screeners.keep(home, screener_file)
    with any_store.write() as session:
        screeners.register(session, sha256, described, name="quick", size=screener_file.stat().st_size)
    started: list[node.Node] = []

    def start(*peers: Peer):
        whole = replace(settings, node=NodeSettings(port=0, quiet_seconds=0.5), peers=peers)
        started.append(node.start(whole, any_store, home, lambda: None))
        return started[-1], Worker(whole, any_store, home)

    yield start
    for one in started:
        one.stop()


def of(store, kind):
    with store.session() as session:
        return list(session.scalars(select(kind)))


def judged(store, worker: Worker, count: int = 1) -> bool:
    def done() -> bool:
        worker.drain()
        return sum(job.state == "done" for job in of(store, Job)) >= count

    return until(done)


def send(port: int | None, folder: Path, called: str = "ATYPIA") -> None:
    command = [program("storescu"), "-aet", "SCANNER", "-aec", called, "127.0.0.1", str(port)]
    command += ["--scan-directories", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


both = pytest.mark.parametrize(
    ("any_store", "kind"), [("sqlite", "dicom"), ("postgresql", "stow")], indirect=["any_store"]
)
sqlite = pytest.mark.parametrize("any_store", ["sqlite"], indirect=True)


@both
def test_results_of_a_study_arrive_in_the_archive(room, empty, any_store, home, write_study, tmp_path, kind):
    if kind == "stow" and not PLUGIN.exists():
        pytest.skip("the plugin for DICOMweb is not installed: apt-get install orthanc-dicomweb")
    peer = (
        Peer("orthanc", host="127.0.0.1", port=empty.dicom_port, ae_title="ORTHANC")
        if kind == "dicom"
        else Peer("orthanc", kind="stow", url=f"{empty.http}/dicom-web")
    )
    serving, worker = room(peer)
    write_study(tmp_path / "sent", count=10, study="1.2.3.4")
    send(serving.port, tmp_path / "sent")
    assert judged(any_store, worker)
    (finding,), (study,) = of(any_store, Finding), of(any_store, Study)
    assert (finding.kind, finding.slices, finding.study) == ("volume", 10, study.id)
    assert until(lambda: {one.state for one in of(any_store, Delivery)} == {"sent"}), [
        (one.state, one.error) for one in of(any_store, Delivery)
    ]
    arrived = empty.objects()
    kinds = [one.SOPClassUID for one in arrived]
    assert {REPORT, CAPTURE} == set(kinds), "six healthy scans tell no region apart, so there is no segment"
    assert len(arrived) == len(of(any_store, Delivery))
    assert {one.StudyInstanceUID for one in arrived} == {"1.2.3.4"}, "they belong to the study"
    assert {str(one.PatientName) for one in arrived} == {"Zebrowski^Quentin"}
    written = {pydicom.dcmread(file).SOPInstanceUID for file in home.all_findings.rglob("*.dcm")}
    assert {one.SOPInstanceUID for one in arrived} == written


@pytest.mark.slow
@sqlite
def test_an_archive_that_sends_on_what_it_gets_starts_no_circle(
    room, empty, any_store, write_study, tmp_path
):
    """As deploy/serve sets Orthanc up: a scanner sends to it, it sends on to us, our results come back."""
    peer = Peer("orthanc", host="127.0.0.1", port=empty.dicom_port, ae_title="ORTHANC")
    serving, worker = room(peer)
    known = json.dumps({"AET": "ATYPIA", "Host": "127.0.0.1", "Port": serving.port}).encode()
    request = urllib.request.Request(f"{empty.http}/modalities/atypia", known, method="PUT")
    urllib.request.urlopen(request, timeout=SECONDS).close()
    write_study(tmp_path / "sent", count=6, study="1.2.3.4")
    send(empty.dicom_port, tmp_path / "sent", "ORTHANC")
    assert judged(any_store, worker)
    assert until(lambda: {one.state for one in of(any_store, Delivery)} == {"sent"})
    (study,) = of(any_store, Study)
    assert (study.source, study.instances) == ("ORTHANC", 6)
    time.sleep(3)  # the series of our results are stable by now
    assert len(of(any_store, Job)) == 1
    assert of(any_store, Study)[0].instances == 6
    assert len(empty.objects()) == 6 + len(of(any_store, Delivery))


@sqlite
def test_a_study_that_grows_is_judged_anew(room, any_store, home, write_study, tmp_path):
    serving, worker = room()
    send(serving.port, Path(write_study(tmp_path / "a", count=6, study="1.2.3.4", seed=1)[0]).parent)
    assert judged(any_store, worker)
    (first,) = of(any_store, Finding)

    def same_series(data, index):
        data.SeriesInstanceUID = pydicom.dcmread(next((tmp_path / "a").iterdir())).SeriesInstanceUID
        data.ImagePositionPatient = [-80, -80, 5 * (6 + index)]

    write_study(tmp_path / "b", count=4, study="1.2.3.4", seed=2, edit=same_series)
    send(serving.port, tmp_path / "b")
    assert judged(any_store, worker, count=2)
    assert sorted(one.slices for one in of(any_store, Finding)) == [6, 10]
    assert supersede(any_store, home) == 1
    (second,) = of(any_store, Finding)
    assert second.id != first.id
    assert of(any_store, Study)[0].version == 2


@pytest.fixture
def dcmqrscp(tmp_path: Path) -> Iterator[int]:
    """The archive of dcmtk, which stores in a folder of its own."""
    started, port, folder = program("dcmqrscp"), free_port(), tmp_path / "archive"
    folder.mkdir()
    (tmp_path / "dcmqrscp.cfg").write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = 16384\nMaxAssociations = 8\nHostTable BEGIN\nHostTable END\n"
        "VendorTable BEGIN\nVendorTable END\n"
        f'AETable BEGIN\nARCHIVE "{folder}" RW (200, 1024mb) ANY\nAETable END\n'
    )
    words = [started, "-c", str(tmp_path / "dcmqrscp.cfg")]
    with (tmp_path / "dcmqrscp.log").open("w") as log:
        server = subprocess.Popen(words, stdout=log, stderr=log, env={**os.environ, "TMPDIR": str(tmp_path)})

    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        assert until(answers, 10), (tmp_path / "dcmqrscp.log").read_text()
        yield port
    finally:
        server.kill()
        server.wait(SECONDS)


@sqlite
def test_the_archive_of_dcmtk_takes_them_and_finds_them(room, dcmqrscp, any_store, write_study, tmp_path):
    serving, worker = room(
        Peer("archive", host="127.0.0.1", port=dcmqrscp, ae_title="ARCHIVE", first_wait=0.2)
    )
    write_study(tmp_path / "sent", count=6, study="1.2.3.4")
    send(serving.port, tmp_path / "sent")
    assert judged(any_store, worker)

    def ended() -> bool:
        return {one.state for one in of(any_store, Delivery)} <= {"sent", "dead"}

    assert until(ended)
    sent = [one for one in of(any_store, Delivery) if one.state == "sent"]
    assert "volume-0001-sr.dcm" in {Path(one.file).name for one in sent}
    query = [
        program("findscu"),
        "-S",
        "-aec",
        "ARCHIVE",
        "127.0.0.1",
        str(dcmqrscp),
        "-X",
        "-od",
        str(tmp_path),
    ]
    keys = ("QueryRetrieveLevel=SERIES", "StudyInstanceUID=1.2.3.4", "SeriesInstanceUID", "Modality")
    asked = [*query, *(word for key in keys for word in ("-k", key))]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found = {pydicom.dcmread(file, force=True).Modality for file in tmp_path.glob("rsp*.dcm")}
    assert "SR" in found
