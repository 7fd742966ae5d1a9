from __future__ import annotations

import stat
import zipfile
from collections import namedtuple

import numpy as np
import pytest

from atypia.datasets import archive as module
from atypia.datasets.archive import unpack_images
from atypia.errors import BadArchive, OutputError

NOISE = np.random.default_rng(3).bytes(600)


@pytest.fixture
def zipped(tmp_path):
    def write(*names, content=NOISE, compression=zipfile.ZIP_STORED):
        path = tmp_path / "set.zip"
        with zipfile.ZipFile(path, "w", compression) as opened:
            for name in names:
                opened.writestr(name, content)
        return path

    return write


def test_unpacks_pictures_and_leaves_litter(zipped, tmp_path):
    path = zipped("a/1.jpg", "a/b/2.PNG", "__MACOSX/a/._1.jpg", "a/.DS_Store", "a/")
    files = unpack_images(path, tmp_path / "out")
    assert files == [tmp_path / "out/a/1.jpg", tmp_path / "out/a/b/2.PNG"]
    assert all(file.read_bytes() == NOISE for file in files)
    assert sorted(f for f in (tmp_path / "out").rglob("*") if f.is_file()) == files


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("../1.jpg", "leads out"),
        ("a/../../1.jpg", "leads out"),
        ("/1.jpg", "absolute"),
        ("C:/1.jpg", "absolute"),
        ("a\\..\\1.jpg", "absolute"),
        ("a/run.sh", "another kind"),
        ("a/model.pkl", "another kind"),
        ("a/picture.jpg.exe", "another kind"),
    ],
)
def test_refuses_what_is_no_plain_picture_before_writing(zipped, tmp_path, name, fault):
    path = zipped("good/1.jpg", name)
    with pytest.raises(BadArchive, match=fault):
        unpack_images(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_refuses_links_and_special_files(tmp_path, kind):
    path = tmp_path / "set.zip"
    member = zipfile.ZipInfo("link.jpg")
    member.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr(member, "/etc/passwd")
    with pytest.raises(BadArchive, match="link or special file"):
        unpack_images(path, tmp_path / "out")


def test_refuses_an_encrypted_member(zipped, tmp_path):
    path = zipped("1.jpg")
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(BadArchive, match="encrypted"):
        unpack_images(path, tmp_path / "out")


def test_refuses_a_bomb(zipped, tmp_path):
    path = zipped("1.jpg", content=bytes(1_000_000), compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(BadArchive, match="zip bomb"):
        unpack_images(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_refuses_too_many_files_and_names_that_clash(zipped, tmp_path, monkeypatch):
    with pytest.raises(BadArchive, match="each once"):
        unpack_images(zipped("a.jpg", "A.jpg"), tmp_path / "out")
    monkeypatch.setattr(module, "MAX_FILES", 2)
    with pytest.raises(BadArchive, match="at most 2 files"):
        unpack_images(zipped("1.jpg", "2.jpg", "3.jpg"), tmp_path / "out")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.95])
def test_says_that_a_truncated_archive_is_unfinished(zipped, tmp_path, share):
    path = zipped("1.jpg", "2.jpg")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(BadArchive, match="broken or unfinished"):
        unpack_images(path, tmp_path / "out")


def test_says_that_a_damaged_member_is_broken(zipped, tmp_path):
    path = zipped("1.jpg")
    data = bytearray(path.read_bytes())
    data[100] ^= 255
    path.write_bytes(data)
    with pytest.raises(BadArchive, match="broken"):
        unpack_images(path, tmp_path / "out")


def test_stops_before_the_disk_is_full(zipped, tmp_path, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: usage(free=10))
    with pytest.raises(OutputError, match="free space, received 10"):
        unpack_images(zipped("1.jpg"), tmp_path / "out")
