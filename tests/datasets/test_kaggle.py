from __future__ import annotations

import base64
import hashlib
import sys

import numpy as np
import pytest

from atypia.datasets.kaggle import fetch_archive
from atypia.errors import DownloadFailed, MissingExtra

HANDLE = "murtozalikhon/brain-tumor-multimodal-image-ct-and-mri"


def md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def test_fetches_the_newest_version_without_an_account(kaggle, tmp_path, capsys):
    kaggle.md5 = md5(kaggle.archive)
    download = fetch_archive(HANDLE, tmp_path)
    assert download.archive.read_bytes() == kaggle.archive
    assert download.version == 7
    assert kaggle.asked == ["GetDataset", "DownloadDataset", "from 0"]
    assert kaggle.accounts == {None}
    assert capsys.readouterr() == ("", "")


def test_uses_the_account_of_the_user(kaggle, tmp_path, monkeypatch):
    monkeypatch.setenv("KAGGLE_API_TOKEN", "a-token")
    fetch_archive(HANDLE, tmp_path)
    assert kaggle.accounts == {"Bearer a-token"}


def test_goes_on_where_an_interrupted_download_stopped(kaggle, tmp_path):
    kaggle.archive = np.random.default_rng(1).bytes(2_500_000)  # kagglehub writes 1 MiB at a time
    kaggle.cut_at = 1_500_000
    with pytest.raises(DownloadFailed, match="run the same command again"):
        fetch_archive(HANDLE, tmp_path)
    kaggle.cut_at, kaggle.md5 = None, md5(kaggle.archive)
    assert fetch_archive(HANDLE, tmp_path).archive.read_bytes() == kaggle.archive
    assert kaggle.asked[-2:] == ["from 0", f"from {1 << 20}"]


@pytest.mark.usefixtures("kaggle")
def test_does_not_fetch_a_whole_archive_twice(tmp_path):
    first = fetch_archive(HANDLE, tmp_path)
    written = first.archive.stat().st_mtime_ns
    assert fetch_archive(HANDLE, tmp_path) == first
    assert first.archive.stat().st_mtime_ns == written


def test_refuses_an_archive_with_another_checksum(kaggle, tmp_path):
    kaggle.md5 = md5(b"another")
    with pytest.raises(DownloadFailed, match="checksum"):
        fetch_archive(HANDLE, tmp_path)
    assert not list(tmp_path.glob("*.zip"))


@pytest.mark.parametrize(
    ("status", "advice"),
    [(401, "KAGGLE_API_TOKEN"), (403, "accept the terms"), (404, "no such set"), (500, "Try again later")],
)
def test_a_refusal_says_what_to_do(kaggle, tmp_path, status, advice):
    kaggle.status = status
    with pytest.raises(DownloadFailed, match=f"HTTP status {status}.*{advice}"):
        fetch_archive(HANDLE, tmp_path)


@pytest.mark.parametrize("answer", [b"<html>please log in</html>", b"{}", b"[]"])
def test_an_answer_that_is_not_kaggles_is_told(kaggle, tmp_path, answer):
    kaggle.about = answer
    with pytest.raises(DownloadFailed, match="not one of Kaggle's"):
        fetch_archive(HANDLE, tmp_path)


@pytest.mark.usefixtures("kaggle")
def test_no_network_is_told(tmp_path, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with pytest.raises(DownloadFailed, match="Check the network") as caught:
        fetch_archive(HANDLE, tmp_path)
    assert str(caught.value).endswith("(Connection refused)")


def test_without_kagglehub_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "kagglehub.exceptions", None)
    with pytest.raises(MissingExtra, match=r"atypia\[kaggle\]"):
        fetch_archive(HANDLE, tmp_path)
