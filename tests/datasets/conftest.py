"""A server on this machine that plays Kaggle: it answers kagglehub's own requests with a small archive."""

from __future__ import annotations

import io
import json
import re
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import pytest
from PIL import Image

SCANS = frozenset(
    {
        "Dataset/Brain Tumor MRI images/Healthy/mri_healthy (1).jpg",
        "Dataset/Brain Tumor MRI images/Healthy/mri_healthy (2).jpg",
        "Dataset/Brain Tumor MRI images/Tumor/glioma (1).jpg",
        "Dataset/Brain Tumor MRI images/Tumor/meningioma (1).jpg",
        "Dataset/Brain Tumor MRI images/Tumor/unknown (1).jpg",
        "Dataset/Brain Tumor CT scan Images/Healthy/ct_healthy (1).jpg",
        "Dataset/Brain Tumor CT scan Images/Tumor/ct_tumor (1).png",
    }
)


def picture(seed: int) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 256, (24, 20), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).save(out, "JPEG")
    return out.getvalue()


def zip_of(names) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as opened:
        for seed, name in enumerate(sorted(names)):
            opened.writestr(name, picture(seed))
    return out.getvalue()


@dataclass
class FakeKaggle:
    """What the server answers, and what it was asked."""

    names: frozenset[str] = SCANS
    archive: bytes = field(default_factory=lambda: zip_of(SCANS))
    status: int = 200
    about: bytes = json.dumps({"currentVersionNumber": 7}).encode()
    cut_at: int | None = None
    length: bool = True
    md5: str | None = None
    asked: list[str] = field(default_factory=list)
    accounts: set[str | None] = field(default_factory=set)

    def publish(self, names) -> None:
        self.names = frozenset(names)
        self.archive = zip_of(self.names)


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        kaggle = self.server.kaggle
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        service = self.path.rpartition("/")[2]
        kaggle.asked.append(service)
        kaggle.accounts.add(self.headers["Authorization"])
        assert f"{asked['ownerSlug']}/{asked['datasetSlug']}".startswith("murtozalikhon/brain-tumor")
        if kaggle.status != 200:
            self.reply(kaggle.status, b'{"message": "no"}', {"Content-Type": "application/json"})
        elif service == "GetDataset":
            self.reply(200, kaggle.about, {"Content-Type": "application/json"})
        else:
            self.reply(302, b"", {"Location": "http://localhost/storage/archive.zip"})

    def do_GET(self) -> None:
        kaggle = self.server.kaggle
        wanted = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(wanted[1]) if wanted else 0
        kaggle.asked.append(f"from {start}")
        headers = {"Accept-Ranges": "bytes"} if kaggle.length else {}
        if kaggle.md5:
            headers["x-goog-hash"] = f"md5={kaggle.md5}"
        self.reply(206 if wanted else 200, kaggle.archive[start:], headers, kaggle.cut_at, kaggle.length)

    def reply(self, status, body, headers, cut_at=None, length=True) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        if length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:cut_at])

    def log_message(self, *_) -> None:
        pass


class Server(ThreadingHTTPServer):
    kaggle: FakeKaggle


@pytest.fixture
def kaggle(monkeypatch, tmp_path):
    """Point kagglehub at a local server, by nothing but environment variables that it documents.

    KAGGLE_API_ENVIRONMENT=LOCALHOST sends it to http://localhost; the port comes by naming the server as
    the HTTP proxy. HOME is empty, so that no account of the developer's is found.
    """
    with Server(("127.0.0.1", 0), Handler) as server:
        server.kaggle = FakeKaggle()
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        proxy = f"http://127.0.0.1:{server.server_port}"
        home = tmp_path / "home"
        home.mkdir()
        for name in ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY", "ALL_PROXY", "all_proxy"):
            monkeypatch.delenv(name, raising=False)
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, proxy)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, "")
        for name in ("HOME", "USERPROFILE", "KAGGLE_CONFIG_DIR", "KAGGLEHUB_CACHE"):
            monkeypatch.setenv(name, str(home))
        monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
        yield server.kaggle
        server.shutdown()
