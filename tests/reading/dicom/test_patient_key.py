"""A patient's group is the same on every run, differs under another key, and does not give the id away."""

from __future__ import annotations

import hashlib
import stat

import pytest

from atypia.reading.dicom.patient_key import group_of


@pytest.fixture
def key_file(tmp_path, monkeypatch):
    monkeypatch.setenv("ATYPIA_KEY", str(tmp_path / "deep" / "group.key"))
    return tmp_path / "deep" / "group.key"


def test_one_patient_one_group(key_file):
    assert group_of("id-1", "1.2") == group_of(" id-1 ", "1.9")
    assert group_of("id-1", "1.2") != group_of("id-2", "1.2")
    assert group_of("id-1", "1.2") != group_of("id-1", "1.2", issuer="other hospital")
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert [file.name for file in key_file.parent.iterdir()] == ["group.key"]


def test_the_hash_is_keyed(key_file, tmp_path, monkeypatch):
    group = group_of("id-1", "1.2")
    assert hashlib.blake2b(b"patient\0\0id-1", digest_size=8).hexdigest() not in group
    monkeypatch.setenv("ATYPIA_KEY", str(tmp_path / "other.key"))
    assert group_of("id-1", "1.2") != group
    shared = tmp_path / "copied.key"
    shared.write_bytes(key_file.read_bytes())
    monkeypatch.setenv("ATYPIA_KEY", str(shared))
    assert group_of("id-1", "1.2") == group


@pytest.mark.usefixtures("key_file")
def test_without_an_id_the_study_is_the_group():
    assert group_of("Anonymous", "1.2") == group_of("", "1.2")
    assert group_of("", "1.2") != group_of("", "1.3")
    assert group_of("", "") is None


def test_a_key_that_cannot_be_kept_serves_this_run(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("ATYPIA_KEY", str(tmp_path / "file" / "group.key"))
    assert group_of("id-1", "1.2") == group_of("id-1", "1.2")
