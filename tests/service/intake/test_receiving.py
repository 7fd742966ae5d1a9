from __future__ import annotations

import errno
import gzip
import hashlib
import io
import os
import struct
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atypia.service.home import Home
from atypia.service.intake import Receiving, Refused, accept, allowed
from atypia.service.intake.archive import unpack
from atypia.service.intake.sniffing import kind_of
from atypia.service.settings import Limits, Settings

MIB = 2**20


def left(home: Home) -> list[str]:
    """All files below the data folder, but for the key."""
    files = (p for p in home.path.rglob("*") if p.is_file() and p != home.key_file)
    return sorted(p.relative_to(home.path).as_posix() for p in files)


def zipped(entries: dict[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", kind) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return file.getvalue()


def nifti(order: str = "<") -> bytes:
    header = bytearray(352)
    header[:4] = struct.pack(f"{order}i", 348)
    header[344:348] = b"n+1\0"
    return bytes(header) + bytes(2000)


def limited(settings: Settings, **limits: float) -> Settings:
    return replace(settings, limits=replace(settings.limits, **limits))


def test_an_upload_is_kept_by_its_content_and_nobody_else_may_read_it(settings, home, head_png):
    content = head_png()
    taken = accept(settings, home, io.BytesIO(content), "DOE^JOHN.jpeg")
    assert taken.sha256 == hashlib.sha256(content).hexdigest()
    assert (taken.kind, taken.suffix, taken.size) == ("picture", ".png", len(content))
    assert taken.path == home.upload(taken.sha256, ".png")
    assert taken.path.read_bytes() == content
    assert taken.path.stat().st_mode & 0o077 == 0
    assert left(home) == [f"uploads/{taken.sha256[:2]}/{taken.sha256}.png"]


def test_the_same_content_twice_is_one_file(settings, home, head_png):
    first, second = (accept(settings, home, [head_png()], name) for name in ("a.png", "b.png"))
    assert first == second
    assert len(left(home)) == 1


@pytest.mark.parametrize(
    ("content", "kind", "suffix"),
    [
        (b"\xff\xd8\xff\xe0" + bytes(100), "picture", ".jpg"),
        (b"II*\0" + bytes(100), "picture", ".tif"),
        (b"RIFF\1\1\1\1WEBP" + bytes(100), "picture", ".webp"),
        (nifti(), "nifti", ".nii"),
        (nifti(">"), "nifti", ".nii"),
        (gzip.compress(nifti(), mtime=0), "nifti", ".nii.gz"),
        (bytes(128) + b"DICM" + bytes(100), "dicom", ".dcm"),
        (zipped({"a": b"b"}), "archive", ".zip"),
    ],
)
def test_content_tells_what_a_file_is_whatever_it_is_called(settings, home, content, kind, suffix):
    taken = accept(settings, home, io.BytesIO(content), "scan.txt")
    assert (taken.kind, taken.suffix) == (kind, suffix)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "an empty file"),
        (b"just text", "another kind"),
        (b"<html>", "a web page"),
        (b"%PDF-1.4", "a PDF"),
        (gzip.compress(b"something else", mtime=0), "no NIfTI"),
        (b"\x1f\x8bbroken", "no NIfTI"),
        (b"MZ\x90\x00", "another kind"),
    ],
)
def test_a_wrong_type_with_a_right_name_is_refused_and_not_kept(settings, home, content, words):
    with pytest.raises(Refused) as caught:
        accept(settings, home, io.BytesIO(content), "scan.nii.gz")
    assert caught.value.status == 415
    assert words in caught.value.detail
    assert left(home) == []


@given(st.binary(max_size=700))
def test_any_first_bytes_can_be_looked_at(head):
    kind = kind_of(head)
    assert kind is None or kind.suffix.startswith(".")


def test_an_upload_beyond_the_limit_is_refused_at_once(settings, home, head_png):
    small = limited(settings, upload_bytes=1000)
    receiving = Receiving(small, home, before=600)
    receiving.write(head_png()[:400])
    with pytest.raises(Refused) as caught:
        receiving.write(b"1")
    assert caught.value.status == 413
    assert left(home) == []
    receiving.discard()


def test_what_is_given_up_leaves_nothing(settings, home, head_png):
    receiving = Receiving(settings, home)
    receiving.write(head_png()[:100])
    assert left(home) != []
    receiving.discard()
    receiving.discard()
    assert left(home) == []


def test_a_stream_that_breaks_leaves_nothing(settings, home, head_png):
    def chunks():
        yield head_png()[:100]
        raise ConnectionError

    with pytest.raises(ConnectionError):
        accept(settings, home, chunks(), "a.png")
    assert left(home) == []


def test_a_disk_that_is_nearly_full_takes_nothing(settings, home, head_png):
    with pytest.raises(Refused) as caught:
        accept(limited(settings, free_bytes=2**62), home, io.BytesIO(head_png()), "a.png")
    assert caught.value.status == 507
    assert left(home) == []


@pytest.mark.parametrize("where", ["write", "fsync", "replace"])
def test_a_disk_that_fills_up_meanwhile_is_told_and_leaves_nothing(
    settings, home, head_png, monkeypatch, where
):
    def full(*_args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    receiving = Receiving(settings, home)
    if where == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    elif where == "replace":
        monkeypatch.setattr(type(home.path), "replace", full)
    else:
        receiving._file.close()
        receiving._file = type("Full", (), {"write": full, "close": lambda _: None})()

    def rest() -> None:
        receiving.write(head_png())
        receiving.finish()

    with pytest.raises(Refused) as caught:
        rest()
    assert caught.value.status == 507
    assert str(home.path) not in str(caught.value)
    assert left(home) == []


# Archives


def refused(settings: Settings, home: Home, content: bytes) -> Refused:
    with pytest.raises(Refused) as caught:
        accept(settings, home, io.BytesIO(content), "study.zip")
    assert left(home) == []
    return caught.value


@pytest.mark.parametrize(
    "name", ["../../etc/cron.d/x", "/etc/passwd", "a/../../b.png", "C:\\Windows\\x.png", "..\\..\\x.png"]
)
def test_entries_that_climb_out_are_refused(settings, home, name):
    problem = refused(settings, home, zipped({name: b"x"}))
    assert problem.status == 422
    assert name not in problem.detail


def test_links_in_an_archive_are_refused(settings, home):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        link = zipfile.ZipInfo("a.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    assert refused(settings, home, file.getvalue()).status == 422


def test_a_bomb_is_refused_by_what_it_says_of_itself(settings, home):
    assert refused(limited(settings, archive_ratio=2.0), home, zipped({"a": bytes(80 * MIB)})).status == 413
    assert refused(limited(settings, archive_bytes=MIB), home, zipped({"a": bytes(2 * MIB)})).status == 413


def test_a_bomb_that_lies_of_its_size_is_not_unpacked(tmp_path):
    content = bytearray(zipped({"a.png": b"\x89PNG\r\n\x1a\n" + bytes(MIB)}))
    for at in (content.find(b"PK\x03\x04") + 22, content.find(b"PK\x01\x02") + 24):
        content[at : at + 4] = struct.pack("<I", 10)
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(Refused):
        list(unpack(tmp_path / "a.zip", tmp_path / "out", Limits()))
    assert sum(p.stat().st_size for p in (tmp_path / "out").rglob("*.png")) <= 3000


def test_too_many_entries_are_refused(settings, home):
    problem = refused(limited(settings, archive_entries=10), home, zipped({f"{i}": b"" for i in range(11)}))
    assert problem.status == 413


@pytest.mark.parametrize("cut", [30, 200, -30, -5])
def test_a_truncated_archive_is_refused(settings, home, head_png, cut):
    content = zipped({"a.png": head_png(), "b.png": head_png(1)}, zipfile.ZIP_STORED)
    assert refused(settings, home, content[:cut]).status in (415, 422)


def test_damaged_bytes_inside_an_archive_are_told(tmp_path, head_png):
    content = bytearray(zipped({"a.png": head_png(size=64)}, zipfile.ZIP_STORED))
    content[300] ^= 0xFF
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(Refused, match="Broken archive"):
        list(unpack(tmp_path / "a.zip", tmp_path / "out", Limits()))


def test_scans_are_unpacked_under_numbers_and_the_rest_is_passed_over(tmp_path, head_png):
    inner = zipped({"c.png": head_png()})
    entries = {
        "DOE^JOHN/1.png": head_png(1),
        "DOE^JOHN/notes.txt": b"text",
        "other/2": head_png(2),
        "__MACOSX/DOE^JOHN/1.png": b"litter",
        "inner.zip": inner,
    }
    (tmp_path / "a.zip").write_bytes(zipped(entries))
    found = list(unpack(tmp_path / "a.zip", tmp_path / "out", Limits()))
    assert [one.path.relative_to(tmp_path / "out").as_posix() for one in found] == [
        "d0000/000000.png",
        "d0001/000002.png",
    ]
    assert [one.entry for one in found] == ["DOE^JOHN/1.png", "other/2"]
    assert found[1].path.read_bytes() == head_png(2)


# Roots


def test_paths_below_a_root_are_allowed_and_no_others(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "a").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret.png").write_bytes(b"x")
    (root / "link").symlink_to(outside)
    assert allowed([root], "a") == (root / "a").resolve()
    assert allowed([root], str(root / "a")) == (root / "a").resolve()
    for path in ("..", "../outside/secret.png", "link/secret.png", str(outside), "missing", "a\0b"):
        with pytest.raises(Refused) as caught:
            allowed([root], path)
        assert caught.value.status == 404
        assert str(tmp_path) not in caught.value.detail
    with pytest.raises(Refused) as caught:
        allowed([], "a")
    assert caught.value.status == 403


@given(st.text(max_size=60))
def test_no_text_leads_out_of_a_root(path):
    root = Path(np.__file__).parent / "linalg"  # any folder will do
    try:
        found = allowed([root], path)
    except Refused:
        return
    assert found.is_relative_to(root.resolve())


def test_a_member_without_a_name_is_refused(settings, home, head_png):
    content = zipped({"x": head_png()}, zipfile.ZIP_STORED)
    directory = content.rindex(b"PK\x01\x02")
    nameless = bytearray(content[:directory] + content[directory:].replace(b"x", b"", 1))
    nameless[directory + 28] = 0
    end = nameless.rindex(b"PK\x05\x06")
    nameless[end + 12] -= 1
    assert "without a name" in refused(settings, home, bytes(nameless)).detail


def test_a_member_that_begins_before_its_archive_is_a_fault_of_it(tmp_path, head_png):
    content = bytearray(zipped({"a.png": head_png()}, zipfile.ZIP_STORED))
    directory = content.rindex(b"PK\x05\x06")
    content[directory + 16 : directory + 20] = (directory + 50_000).to_bytes(4, "little")
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(Refused, match="Broken archive"):
        list(unpack(tmp_path / "a.zip", tmp_path / "out", Limits()))
