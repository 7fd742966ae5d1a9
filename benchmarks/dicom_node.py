"""Instances by C-STORE from several associations at once: whether all arrive, and how many in a second.

    python benchmarks/dicom_node.py FOLDER [--instances 2000] [--associations 4] [--size 256]

Generated MR images go by `storescu` (dcmtk) to a node in a process of its own, with its database below
FOLDER; two of the senders send the same study. Then every instance is looked up: in the database by its keyed
hash, and on the disk by the hash of its content. The same files go to Orthanc, where it is installed.
Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from sqlalchemy import select

from atypia.service.home import Home
from atypia.service.node.instance import examine
from atypia.service.node.provider import Provider
from atypia.service.node.recording import Recorder
from atypia.service.node.settings import NodeSettings
from atypia.service.store.database import Store
from atypia.service.store.models import Instance, Study

MR = "1.2.840.10008.5.1.4.1.1.4"


def write(folder: Path, count: int, size: int, study: str, seed: int) -> None:
    folder.mkdir(parents=True)
    rng, series = np.random.default_rng(seed), generate_uid()
    for number in range(count):
        data = Dataset()
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = MR
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
        data.StudyInstanceUID, data.SeriesInstanceUID, data.Modality = study, series, "MR"
        data.PatientID, data.InstanceNumber = "benchmark", number
        data.Rows = data.Columns = size
        data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
        data.BitsAllocated = data.BitsStored = 16
        data.HighBit = 15
        data.PixelData = rng.integers(0, 4000, (size, size), np.uint16).tobytes()
        pydicom.dcmwrite(folder / f"{number:05}.dcm", data, enforce_file_format=True)


def serve(home: Home) -> None:
    settings = NodeSettings(port=0)
    store = Store(None, home)
    provider = Provider(settings, home, Recorder(store, home, settings))
    print(provider.port, flush=True)
    sys.stdin.read()  # until the parent goes
    used = os.times()
    print(used.user + used.system, flush=True)


def send(folders: list[Path], port: int, called: str) -> float:
    """Send each folder over an association of its own, all at once; return the seconds."""
    started = time.perf_counter()
    words = ["storescu", "-aec", called, "127.0.0.1", str(port), "--scan-directories"]
    senders = [subprocess.Popen([*words, str(folder)], stderr=subprocess.DEVNULL) for folder in folders]
    codes = [sender.wait() for sender in senders]
    if any(codes):
        raise SystemExit(f"storescu ended with {codes}")
    return time.perf_counter() - started


def lost(home: Home, folders: list[Path]) -> int:
    """Return how many of the instances are not in the database, or not on the disk as they were sent."""
    store = Store(None, home)
    recorder = Recorder(store, home, NodeSettings())
    with store.session() as session:
        rows = {row.key: row for row in session.scalars(select(Instance))}
        assert sum(study.instances for study in session.scalars(select(Study))) == len(rows)
    missing = 0
    for file in sorted(file for folder in folders for file in folder.iterdir()):
        sent = examine(file)
        row = rows.get(recorder.keyed("instance", sent.uid))
        kept = row is not None and examine(home.study(row.study) / row.file).sha256 == sent.sha256
        missing += not kept
    recorder.stop()
    store.close()
    return missing


@contextmanager
def orthanc(folder: Path) -> Iterator[int | None]:
    program = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin")
    if program is None:
        yield None
        return
    ports = []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    folder.mkdir()
    settings = {"StorageDirectory": str(folder), "IndexDirectory": str(folder), "HttpPort": ports[0],
                "DicomPort": ports[1], "RemoteAccessAllowed": False, "AuthenticationEnabled": False,
                "DicomAlwaysAllowStore": True, "Plugins": []}  # fmt: skip
    (folder / "orthanc.json").write_text(json.dumps(settings))
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([program, str(folder / "orthanc.json")], **quiet) as server:
        for _ in range(100):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{ports[0]}/system", timeout=5).close()
                break
            except OSError:
                time.sleep(0.2)
        try:
            yield ports[1]
        finally:
            server.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--instances", type=int, default=2000)
    parser.add_argument("--associations", type=int, default=4)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(Home(given.folder))
        return
    given.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=given.folder) as place:
        measure(Path(place), given)


def measure(place: Path, given: argparse.Namespace) -> None:
    studies = [generate_uid() for _ in range(max(1, given.associations - 1))]
    folders = [place / f"sender-{number}" for number in range(given.associations)]
    for number, folder in enumerate(folders):
        study = studies[number % len(studies)]
        write(folder, given.instances // given.associations, given.size, study, number)
    home = Home(place / "data")
    home.make()
    Store(None, home).migrate()
    command = [sys.executable, __file__, str(home.path), "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as node:
        assert node.stdin is not None
        assert node.stdout is not None
        port = int(node.stdout.readline())
        seconds = send(folders, port, "ATYPIA")
        node.stdin.close()
        processor = float(node.stdout.readline())
    missing = lost(home, folders)
    count = given.associations * (given.instances // given.associations)
    print("| receiver | instances | lost | seconds | instances/s | processor ms each |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    told = f"{seconds:.1f} | {count / seconds:.0f} | {1000 * processor / count:.1f}"
    print(f"| this node | {count} | {missing} | {told} |")
    with orthanc(place / "orthanc") as port_of_archive:
        if port_of_archive is not None:
            seconds = send(folders, port_of_archive, "ORTHANC")
            print(f"| Orthanc | {count} | - | {seconds:.1f} | {count / seconds:.0f} | - |")
    if missing:
        raise SystemExit(f"{missing} instances were lost")


if __name__ == "__main__":
    main()
