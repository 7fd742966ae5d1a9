"""An archive takes the results by C-STORE and by DICOMweb and serves them back unchanged."""

from __future__ import annotations

import io
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image

from atypia.writing.dicom import write_capture, write_report, write_segmentation

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
SECONDS = 30


@dataclass(frozen=True)
class Archive:
    """An Orthanc that runs on this machine alone."""

    http: str
    dicom_port: int

    def get(self, path: str, *, kind: str = "*/*") -> bytes:
        request = urllib.request.Request(self.http + path, headers={"Accept": kind})
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            head = f"Content-Type: {answer.headers['Content-Type']}\n\n".encode()
            body: bytes = answer.read()
        if not head.startswith(b"Content-Type: multipart/"):
            return body
        (part,) = message_from_bytes(head + body).get_payload()
        return bytes(part.get_payload(decode=True))

    def delete_all(self) -> None:
        for patient in json.loads(self.get("/patients")):
            request = urllib.request.Request(f"{self.http}/patients/{patient}", method="DELETE")
            urllib.request.urlopen(request, timeout=SECONDS).close()

    def instance(self, uid: str) -> str:
        asked = json.dumps({"Level": "Instance", "Query": {"SOPInstanceUID": uid}}).encode()
        with urllib.request.urlopen(f"{self.http}/tools/find", asked, timeout=SECONDS) as answer:
            (found,) = json.loads(answer.read())
        return str(found)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    program = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin")
    if program is None:
        pytest.skip("Orthanc is not installed: apt-get install orthanc orthanc-dicomweb")
    folder, http, dicom = tmp_path_factory.mktemp("orthanc"), free_port(), free_port()
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
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "log.txt").open("w") as log:
        server = subprocess.Popen([program, str(folder / "orthanc.json")], stdout=log, stderr=log)
    try:
        found = Archive(f"http://127.0.0.1:{http}", dicom)
        wait_for(found, server, folder / "log.txt")
        yield found
    finally:
        server.terminate()
        server.wait(SECONDS)


def wait_for(archive: Archive, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until and server.poll() is None:
        try:
            archive.get("/system")
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.2)
    pytest.fail(f"Orthanc did not start: {log.read_text()[-2000:]}")


@pytest.fixture(params=["classic", "enhanced"])
def results(request, maker, tmp_path, archive) -> Iterator[list[Path]]:
    finding = request.getfixturevalue(request.param).finding
    yield [
        *write_segmentation(finding, maker, tmp_path / "out"),
        *write_report(finding, maker, tmp_path / "out"),
        *write_capture(finding, maker, tmp_path / "out"),
    ]
    archive.delete_all()


def same(one: pydicom.Dataset, other: pydicom.Dataset) -> bool:
    """Tell whether all elements are equal, and the pixels after whatever encoding."""
    return one == other and ("PixelData" not in one or np.array_equal(one.pixel_array, other.pixel_array))


def test_results_sent_by_c_store_come_back_unchanged(archive, results, installed):
    # Its own list lacks the newer kinds of object; with these it asks for what is in the files.
    send = [installed("storescu"), "--required", "127.0.0.1", str(archive.dicom_port), *map(str, results)]
    done = subprocess.run(send, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    for path in results:
        sent = pydicom.dcmread(path)
        served = archive.get(f"/instances/{archive.instance(sent.SOPInstanceUID)}/file")
        assert same(pydicom.dcmread(io.BytesIO(served)), sent), path.name
    studies = json.loads(archive.get("/studies"))
    assert len(studies) == 1
    assert len(json.loads(archive.get("/series"))) == 3


def test_results_stored_by_dicomweb_come_back_unchanged(archive, results):
    if not PLUGIN.exists():
        pytest.skip("the plugin for DICOMweb is not installed: apt-get install orthanc-dicomweb")
    edge = uuid.uuid4().hex
    parts = [
        f"--{edge}\r\nContent-Type: application/dicom\r\n\r\n".encode() + path.read_bytes() + b"\r\n"
        for path in results
    ]
    request = urllib.request.Request(
        f"{archive.http}/dicom-web/studies",
        b"".join(parts) + f"--{edge}--\r\n".encode(),
        {
            "Content-Type": f'multipart/related; type="application/dicom"; boundary={edge}',
            "Accept": "application/dicom+json",
        },
    )
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        told = json.loads(answer.read())
    assert len(told["00081199"]["Value"]) == len(results), "all were taken"
    assert not told.get("00081198", {}).get("Value"), "none was refused"
    for path in results:
        sent = pydicom.dcmread(path)
        place = (
            f"/dicom-web/studies/{sent.StudyInstanceUID}/series/{sent.SeriesInstanceUID}"
            f"/instances/{sent.SOPInstanceUID}"
        )
        served = archive.get(place, kind='multipart/related; type="application/dicom"; transfer-syntax=*')
        assert same(pydicom.dcmread(io.BytesIO(served)), sent), path.name


def test_the_archive_draws_segments_and_pictures(archive, results):
    for path in results:
        request = urllib.request.Request(f"{archive.http}/instances", path.read_bytes())
        urllib.request.urlopen(request, timeout=SECONDS).close()
    for path in results:
        sent = pydicom.dcmread(path)
        if "PixelData" not in sent:
            continue
        pixels = sent.pixel_array if "NumberOfFrames" in sent else sent.pixel_array[None]
        for number, frame in enumerate(pixels):
            png = archive.get(f"/instances/{archive.instance(sent.SOPInstanceUID)}/frames/{number}/preview")
            drawn = np.asarray(Image.open(io.BytesIO(png)))
            expected = frame if frame.ndim == 3 else 255 * frame
            assert np.array_equal(drawn, expected), f"{path.name}, frame {number}"
