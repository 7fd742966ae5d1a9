from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import platformdirs
import pytest

from atypia.encoders import weights
from atypia.encoders.weights import OFFICIAL, Download, obtain_weights, weights_at_hand, weights_folder
from atypia.errors import OutputError, WeightsError

CONTENT = bytes(range(256)) * 10_000
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
NOWHERE = Download(f"http://127.0.0.1:9/{OFFICIAL.file_name}", MD5)


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


class QuietServer(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Download]:
    """A server on this machine that has the file."""
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / OFFICIAL.file_name).write_bytes(CONTENT)
    with QuietServer(("127.0.0.1", 0), partial(QuietHandler, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Download(f"http://127.0.0.1:{server.server_port}/{OFFICIAL.file_name}", MD5)
        server.shutdown()
        thread.join()


def put(path: Path, content: bytes = CONTENT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_the_named_file_comes_first(empty_caches: Path, tmp_path: Path) -> None:
    put(empty_caches)
    named = put(tmp_path / "own" / "radimagenet.h5", b"any content: it is looked at when it is read")
    assert obtain_weights(named, official=NOWHERE) == named


def test_a_named_file_that_is_missing_is_an_error(empty_caches: Path, tmp_path: Path) -> None:
    put(empty_caches)
    with pytest.raises(WeightsError, match=r"none\.h5.*--weights"):
        weights_at_hand(tmp_path / "none.h5", official=NOWHERE)


def test_our_cache_comes_before_keras_own(empty_caches: Path, tmp_path: Path) -> None:
    keras = put(tmp_path / "keras" / "models" / OFFICIAL.file_name)
    assert obtain_weights(official=NOWHERE) == keras
    put(empty_caches)
    assert obtain_weights(official=NOWHERE) == empty_caches


def test_nothing_at_hand_is_no_error(empty_caches: Path) -> None:
    assert weights_at_hand() is None
    assert not empty_caches.parent.exists()


def test_downloads_into_the_cache_once(empty_caches: Path, served: Download) -> None:
    assert obtain_weights(official=served) == empty_caches
    assert empty_caches.read_bytes() == CONTENT
    assert list(empty_caches.parent.iterdir()) == [empty_caches]
    assert obtain_weights(official=NOWHERE) == empty_caches


def test_what_is_not_the_official_file_is_not_kept(empty_caches: Path, served: Download) -> None:
    with pytest.raises(WeightsError, match=f"MD5 {MD5}, not {OFFICIAL.md5}"):
        obtain_weights(official=Download(served.url, OFFICIAL.md5))
    assert not list(empty_caches.parent.iterdir())


class Faulty(BaseHTTPRequestHandler):
    """Answers once as `fault` says, then as it should."""

    fault: ClassVar[str] = ""
    over: ClassVar[threading.Event]

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        fault, type(self).fault = self.fault, ""
        if fault == "is refused":
            self.send_error(503)
            return
        told = {"is longer than told": len(CONTENT) - 9, "is told in words": "many", "has no end": 10**12}
        self.send_response(200)
        self.send_header("Content-Length", str(told.get(fault, len(CONTENT))))
        self.end_headers()
        if fault == "breaks off":
            self.wfile.write(CONTENT[:-1000])
        elif fault == "stalls":
            self.wfile.write(CONTENT[:1000])
            self.over.wait(10)
        elif fault == "is another file":
            self.wfile.write(CONTENT[::-1])
        elif fault == "has no end":
            for _ in range(100):
                self.wfile.write(CONTENT)
        else:
            self.wfile.write(CONTENT)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("breaks off", "the connection ended after 2,559,000 of 2,560,000 bytes"),
        ("stalls", "timed out"),
        ("is another file", "what came has MD5"),
        ("is longer than told", "what came has MD5"),
        ("is told in words", "invalid literal"),
        ("has no end", "more than 4 MiB came"),
        ("is refused", "503"),
    ],
    ids=["breaks off", "stalls", "another file", "longer", "told in words", "endless", "refused"],
)
def test_a_download_that_fails_leaves_nothing_and_the_next_begins_anew(
    empty_caches: Path, monkeypatch: pytest.MonkeyPatch, fault: str, told: str
) -> None:
    monkeypatch.setattr(weights, "TIMEOUT_S", 0.3)
    monkeypatch.setattr(weights, "MOST", 4 << 20)
    monkeypatch.setattr(Faulty, "fault", fault)
    monkeypatch.setattr(Faulty, "over", threading.Event(), raising=False)
    with QuietServer(("127.0.0.1", 0), Faulty) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        official = Download(f"http://127.0.0.1:{server.server_port}/{OFFICIAL.file_name}", MD5)
        with pytest.raises(WeightsError, match=told) as raised:
            obtain_weights(official=official)
        assert "--encoder efficientnet-lite0" in str(raised.value)
        assert not list(empty_caches.parent.iterdir())
        Faulty.over.set()
        assert obtain_weights(official=official).read_bytes() == CONTENT
        server.shutdown()
        thread.join()
    assert list(empty_caches.parent.iterdir()) == [empty_caches]


def test_what_a_killed_download_left_goes_with_the_next_use(empty_caches: Path, served: Download) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left = put(empty_caches.with_name(f".{empty_caches.name}.0.{gone.pid}.part"), CONTENT[:1000])
    os.utime(left, (9, 9))
    assert obtain_weights(official=served) == empty_caches
    assert list(empty_caches.parent.iterdir()) == [empty_caches]


def test_two_downloads_at_once_do_not_disturb_each_other(empty_caches: Path, served: Download) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: obtain_weights(official=served), range(4)))
    assert found == [empty_caches] * 4
    assert empty_caches.read_bytes() == CONTENT
    assert list(empty_caches.parent.iterdir()) == [empty_caches]


def test_an_interrupted_download_leaves_no_file(
    empty_caches: Path, served: Download, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> Iterator[bytes]:
        yield CONTENT[:1000]
        raise KeyboardInterrupt

    monkeypatch.setattr(weights, "progress", interrupted)
    with pytest.raises(KeyboardInterrupt):
        obtain_weights(official=served)
    assert not list(empty_caches.parent.iterdir())


def test_a_damaged_file_in_the_cache_is_refused(empty_caches: Path) -> None:
    put(empty_caches, CONTENT[:-1])
    with pytest.raises(
        WeightsError, match=r"_notop\.h5: expected Keras' official file.*Delete it.*--weights"
    ):
        weights_at_hand(official=NOWHERE)


@pytest.mark.parametrize("path", ["", "missing/"])
def test_without_file_and_network_the_error_says_what_to_do(
    empty_caches: Path, served: Download, path: str
) -> None:
    official = Download(served.url.replace("/resnet50", f"/{path}resnet50"), MD5) if path else NOWHERE
    with pytest.raises(WeightsError) as caught:
        obtain_weights(official=official)
    text = str(caught.value)
    for words in (official.url, str(empty_caches), "--weights FILE", "--encoder efficientnet-lite0"):
        assert words in text
    assert ("404" if path else "refused") in text
    assert caught.value.exit_code == 4


def test_a_cache_that_cannot_be_written_is_an_output_error(
    tmp_path: Path, served: Download, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("ATYPIA_CACHE", str(tmp_path / "file"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    with pytest.raises(OutputError, match="could not be written"):
        obtain_weights(official=served)


def test_the_cache_is_the_users_own_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ATYPIA_CACHE", raising=False)
    assert weights_folder() == platformdirs.user_cache_path("atypia") / "weights"


def test_the_official_file_is_the_one_that_keras_names() -> None:
    resnet = pytest.importorskip("keras.src.applications.resnet")
    assert OFFICIAL.md5 == resnet.WEIGHTS_HASHES["resnet50"][1]
    assert OFFICIAL.url == resnet.BASE_WEIGHTS_PATH + OFFICIAL.file_name
