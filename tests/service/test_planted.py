"""Identifiers planted wherever a scan can hold some are in nothing that the service says, logs or keeps."""

from __future__ import annotations

import gzip
import io
import re
import sqlite3
import zipfile
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pynetdicom import AE

MR = "1.2.840.10008.5.1.4.1.1.4"
STUDY, SERIES, OBJECT = "1.2.826.0.1.9005512.7", "1.2.826.0.1.9005512.8", "1.2.826.0.1.9005512.9"
TAGS = {
    "PatientName": "Zebrowski^Quentin",
    "PatientID": "QZ-90210",
    "PatientBirthDate": "19510203",
    "PatientAddress": "Zebrowski street",
    "AccessionNumber": "ACC55512",
    "StudyDescription": "Zebrowski's head",
    "SeriesDescription": "t2 QZ-90210",
    "ProtocolName": "t2 Zebrowski",
    "StudyDate": "20190807",
    "AcquisitionDate": "20190807",
    "ContentDate": "20190807",
    "StudyTime": "131517",
    "InstitutionName": "Zebrowski clinic",
    "OperatorsName": "Zebrowski^Op",
    "DeviceSerialNumber": "QZ-90210",
    "StudyID": "ACC55512",
    "ImageComments": "Zebrowski",
}
PLANTED = (
    b"zebrowski",
    b"quentin",
    b"qz-90210",
    b"19510203",
    b"acc55512",
    b"20190807",
    b"131517",
    b"9005512",
)
NAME = "Zebrowski^Quentin 19510203 QZ-90210"
SETTINGS = """
[node]
port = 0
quiet_seconds = 1.0
results = []
"""


def has_planted(content: bytes) -> list[bytes]:
    """What of the planted is in some bytes, however packed."""
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    low = content.lower()
    return [one for one in PLANTED if one in low or one.decode().encode("utf-16-le") in low]


def picture(head_png, seed: int, kind: str = "PNG") -> bytes:
    image, file = Image.open(io.BytesIO(head_png(seed, size=48))), io.BytesIO()
    text = PngInfo()
    text.add_text("Patient", NAME)
    text.add_itxt("Comment", NAME, zip=True)
    exif = Image.Exif()
    exif[0x010E], exif[0x013B], exif[0x9003] = NAME, "Zebrowski", "20190807"
    image.save(file, kind, **({"pnginfo": text} if kind == "PNG" else {}), exif=exif)
    return file.getvalue()


def volume(draw_heads) -> bytes:
    heads, _ = draw_heads(5, size=32)
    made = nibabel.Nifti1Image(np.float32(heads.transpose(1, 2, 0)), np.diag([5, 5, 5, 1]))
    made.header["descrip"], made.header["db_name"] = b"Zebrowski 20190807", b"QZ-90210"
    made.header["aux_file"], made.header["intent_name"] = b"Zebrowski.nii", b"Zebrowski"
    made.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", NAME.encode()))
    return made.to_bytes()


def instance(head: np.ndarray, index: int, study: str = STUDY, pixels: bool = True) -> bytes:
    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = MR
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"{OBJECT}.{index}"
    for name, value in TAGS.items():
        setattr(data, name, value)
    data.StudyInstanceUID, data.SeriesInstanceUID, data.FrameOfReferenceUID = study, SERIES, SERIES + ".1"
    data.Modality, data.SeriesNumber, data.InstanceNumber = "MR", 3, index + 1
    data.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"]
    data.ImagePositionPatient, data.ImageOrientationPatient = [0, 0, 5 * index], [1, 0, 0, 0, 1, 0]
    data.PixelSpacing, data.SliceThickness = [5, 5], 5
    data.Rows, data.Columns = head.shape
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, 12, 11
    if pixels:
        data.PixelData = np.uint16(4000 * head).tobytes()
    file = io.BytesIO()
    pydicom.dcmwrite(file, data, enforce_file_format=True)
    return file.getvalue()


def zipped(*entries: tuple[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.comment = NAME.encode()
        for name, content in entries:
            archive.writestr(name, content)
    return file.getvalue()


@pytest.fixture(scope="module")
def answers(open_room, head_png, draw_heads, tmp_path_factory) -> tuple[object, list[bytes]]:
    """A server that was sent planted scans of all kinds, whole and broken; and all that it answered."""
    root = tmp_path_factory.mktemp("root")
    room = open_room(SETTINGS, "--root", root)
    heard: list[bytes] = []

    def hear(answer) -> None:
        heard.extend(f"{key}: {value}".encode() for key, value in answer.headers.items())
        heard.append(answer.content)

    room.client.event_hooks["response"] = [lambda answer: (answer.read(), hear(answer))]
    heads, _ = draw_heads(5, size=32)
    dicom = [instance(head, index) for index, head in enumerate(heads)]
    pictures = [(f"{NAME}.{kind}", picture(head_png, 1, kind)) for kind in ("png", "jpeg", "tiff", "webp")]
    nifti = volume(draw_heads)
    others = [(f"{NAME}.nii", nifti), (f"{NAME}.nii.gz", gzip.compress(nifti))]
    whole = room.ended(room.send(*pictures, *others))
    assert whole[0]["findings"]["unreadable"] == 0
    broken = room.ended(
        room.send(*((name, content[: len(content) * 2 // 3]) for name, content in pictures + others))
    )
    assert {row["verdict"] for row in broken[1]} == {"unreadable"}
    headers = [instance(head, index, pixels=False) for index, head in enumerate(heads)]
    odd = dicom[0].replace(b"19510203", b"1951-Zeb").replace(b"DS", b"UI", 1)
    for sent in (
        [(f"{NAME}{n}.dcm", one) for n, one in enumerate(dicom)],
        [(f"{NAME}.zip", zipped(*((f"{NAME}/{STUDY}/{n}.dcm", one) for n, one in enumerate(dicom))))],
        [(f"{NAME}.zip", zipped(*((f"{NAME}/{name}", one) for name, one in pictures + others)))],
        [(f"{NAME}.dcm", dicom[0][:-300])],
        [(f"{NAME}.dcm", headers[0])],
        [(f"{NAME}.dcm", odd)],
        [(f"{NAME}.zip", zipped((f"{NAME}.png", pictures[0][1][:300]), (f"{NAME}.txt", b"Zebrowski")))],
    ):
        room.ended(room.send(*sent))
    for content in (b"Zebrowski 19510203", zipped((f"../{NAME}.png", b"x")), zipped((NAME, b""))[:-9]):
        room.send((f"{NAME}.Zebrowski", content), results="Zebrowski", screener=NAME)
    _name_it_elsewhere(room, root, nifti)
    _send_studies(room, heads)
    _look_at_all(room)
    assert room.close() == 0
    return room, heard


def _name_it_elsewhere(room, root: Path, nifti: bytes) -> None:
    """Put names into paths, queries, headers and forms."""
    (root / NAME).mkdir()
    (root / NAME / f"{NAME}.nii").write_bytes(nifti)
    (root / NAME / f"{NAME}2.nii").write_bytes(nifti[:900])
    room.ended(room.client.post("/api/v1/jobs", json={"path": NAME}))
    room.client.post("/api/v1/jobs", json={"path": f"{NAME}/none"})
    for path in (f"/api/v1/{NAME}", f"/dicomweb/studies/{STUDY}", f"/{NAME}", f"/api/v1/jobs/{NAME}"):
        _quietly(room, "GET", path)
    _quietly(room, "GET", f"/api/v1/findings?q={NAME}&sort={NAME}")
    _quietly(room, "POST", "/api/v1/jobs", headers={"Idempotency-Key": "QZ-90210"}, json={"path": f"{NAME}"})
    _quietly(room, "QZ-90210", "/api/v1/jobs")
    _quietly(room, "GET", "/", headers={"User-Agent": NAME, "Referer": f"http://127.0.0.1/{NAME}"})


def _quietly(room, *given, **named) -> None:
    """Ask in words that are planted, whose echo in the answer is to the one who said them."""
    hooks, room.client.event_hooks = room.client.event_hooks, {}
    room.client.request(*given, **named)
    room.client.event_hooks = hooks


def _send_studies(room, heads: np.ndarray) -> None:
    entity = AE("SCANNER")
    entity.add_requested_context(MR)
    association = entity.associate("127.0.0.1", room.dicom_port, ae_title="ATYPIA")
    datasets = [pydicom.dcmread(io.BytesIO(instance(head, index))) for index, head in enumerate(heads)]
    assert [association.send_c_store(one).Status for one in [*datasets, datasets[0]]] == [0] * 6
    datasets[1].PatientName = "Zebrowski^Other"
    assert association.send_c_store(datasets[1]).Status == 0xB006
    association.release()
    parts = [instance(head, 50 + index, f"{STUDY}.5") for index, head in enumerate(heads)]
    edge = b"\r\n--b\r\nContent-Type: application/dicom\r\n\r\n"
    related = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'}
    for body in ([*parts], [parts[0][:400], b"Zebrowski"]):
        content = edge.join([b"", *body]) + b"\r\n--b--\r\n"
        _quietly(room, "POST", f"/dicomweb/studies/{STUDY}.5", content=content, headers=related)

    def judged() -> bool:
        studies = room.client.get("/api/v1/studies").json()["items"]
        jobs = room.client.get("/api/v1/jobs", params={"limit": 500}).json()["items"]
        ended = [job["state"] for job in jobs if job["kind"] == "study"]
        return len(studies) == 2 and ended == ["done", "done"]

    room.until(judged)


def _look_at_all(room) -> None:
    jobs = room.client.get("/api/v1/jobs", params={"limit": 500}).json()["items"]
    rows = room.client.get("/api/v1/findings", params={"limit": 500}).json()["items"]
    assert len(rows) == 30
    for row in rows:
        told = room.client.get(f"/api/v1/findings/{row['id']}").json()
        for file in told["files"]:
            assert room.client.get(file["url"]).status_code == 200, file
    for path in ("studies", "deliveries", "audit", "audit.csv", "screeners", "drift", "feedback.csv"):
        room.client.get(f"/api/v1/{path}")
    room.client.get("/metrics")
    with room.client.stream("GET", f"/api/v1/jobs/{jobs[0]['id']}/events") as stream:
        stream.read()
    for job in jobs:  # where its scans lie is kept as long as a job by path is: nothing of it stays behind
        if job["kind"] == "path":
            assert room.client.delete(f"/api/v1/jobs/{job['id']}").status_code == 204


@pytest.mark.parametrize("what", ["answers", "log", "database", "names", "files"])
def test_nothing_planted_is_in(answers, what):
    room, heard = answers
    data = room.data
    found: dict[str, list[bytes]] = {}
    if what == "answers":
        found = {str(one[:300]): has_planted(one) for one in heard}
        assert len(heard) > 500
    elif what == "log":
        found = {line: has_planted(line.encode()) for line in room.said + room.log}
        assert not any("Traceback" in line or str(data) in line for line in room.log)
    elif what == "database":
        connection = sqlite3.connect(data / "atypia.sqlite")
        found = {line[:300]: has_planted(line.encode()) for line in connection.iterdump()}
        connection.close()
        assert len(found) > 100
        found |= {path.name: has_planted(path.read_bytes()) for path in data.glob("atypia.sqlite*")}
    elif what == "names":
        found = {str(path): has_planted(str(path.relative_to(data)).encode()) for path in data.rglob("*")}
    else:
        every = [path for path in data.rglob("*") if path.is_file()]
        kept = [path for path in every if path.relative_to(data).parts[0] not in ("uploads", "studies")]
        kept = [path for path in kept if path.parent.name != "dicom"]  # those go to the patient's own study
        assert len(kept) > 30
        found = {str(path): has_planted(path.read_bytes()) for path in kept}
    # Hours and minutes stand in times, and digits in hashes and numbers; only what is whole is meant.
    planted = {where: [one for one in some if not _is_number(one, where)] for where, some in found.items()}
    assert {where: some for where, some in planted.items() if some} == {}


def _is_number(one: bytes, where: str) -> bool:
    """Tell whether digits are part of a longer number or hash, where that can be told."""
    return one.isdigit() and not re.search(rf"(?<![0-9a-f.]){one.decode()}(?![0-9a-f])", where, re.IGNORECASE)


def test_what_was_planted_would_be_found(head_png, draw_heads):
    heads, _ = draw_heads(1, size=32)
    for content in (picture(head_png, 1, "jpeg"), volume(draw_heads), instance(heads[0], 0)):
        assert has_planted(content)
        assert has_planted(gzip.compress(content))
