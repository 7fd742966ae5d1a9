from __future__ import annotations

import json
import stat
import struct
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

from atypia.artefact import HEAD, Artefact, read_artefact, write_artefact
from atypia.errors import CorruptArtefact


@pytest.fixture
def saved(tmp_path) -> Path:
    path = tmp_path / "brain.atypia"
    write_artefact(Artefact({"atypia": "0.1.0"}, {"bank": np.arange(6.0)}, {"network": b"graph"}), path)
    return path


def append(path: Path, name: str | zipfile.ZipInfo, data: bytes = b"planted") -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a name that is there twice
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(name, data)


@pytest.mark.parametrize(
    "name",
    [
        "readme.txt",
        "../graphs/network.onnx",
        "/etc/passwd",
        "graphs/../../x.onnx",
        "graphs/a/b.onnx",
        "graphs/..onnx",
        "graphs/.onnx",
        "graphs\\network.onnx",
        "graphs/n\nx.onnx",
        "graphs/n\u202ex.onnx",
        "graphs/network.onnx.data",
        "arrays/bank.npz",
        "arrays/",
        "C:\\x.npy",
        "Screener.json",
        "arrays/" + "a" * 400 + ".npy",
    ],
)
def test_a_name_that_atypia_does_not_give_is_refused(saved, name):
    append(saved, name)
    with pytest.raises(CorruptArtefact, match=r"brain\.atypia: expected the parts of a Screener, received"):
        read_artefact(saved)


@pytest.mark.parametrize("name", [HEAD, "arrays/bank.npy", "graphs/network.onnx", "manifest.json"])
def test_a_part_that_is_there_twice_is_refused(saved, name):
    append(saved, name, b"another")
    with pytest.raises(CorruptArtefact, match="is there twice"):
        read_artefact(saved)


def test_a_link_is_none_of_its_parts(saved):
    link = zipfile.ZipInfo("graphs/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    append(saved, link, b"/etc/passwd")
    with pytest.raises(CorruptArtefact, match="expected the parts of a Screener"):
        read_artefact(saved)


def test_more_parts_than_a_screener_has_are_refused(saved):
    with zipfile.ZipFile(saved, "a") as archive:
        for number in range(5000):
            archive.writestr(f"arrays/{number}.npy", b"")
    with pytest.raises(CorruptArtefact, match="at most 4096 parts, received 5004"):
        read_artefact(saved)


def test_an_encrypted_part_is_refused(saved):
    data = bytearray(saved.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    saved.write_bytes(data)
    with pytest.raises(CorruptArtefact, match="is encrypted"):
        read_artefact(saved)


def test_a_head_that_is_packed_as_a_bomb_is_refused_unread(tmp_path):
    path = tmp_path / "brain.atypia"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(HEAD, b"[" + b"[]," * 10_000_000 + b"[]]")
    assert path.stat().st_size < 100_000
    with pytest.raises(CorruptArtefact, match=r"screener\.json is larger than any that Atypia writes"):
        read_artefact(path)


def test_a_head_of_many_scans_is_read(tmp_path, rng):
    head = {"healthy": rng.normal(size=40_000).tolist()}
    write_artefact(Artefact(head, {}, {}), tmp_path / "brain.atypia")
    assert read_artefact(tmp_path / "brain.atypia").head == head


def test_parts_that_lie_on_one_another_are_refused(saved):
    """Two entries of the directory with one content, which together are larger than the file."""
    with zipfile.ZipFile(saved, "w") as archive:
        archive.writestr(HEAD, json.dumps({"format": 2, "sha256": {}}))
        for name in "abcd":
            archive.writestr(f"arrays/{name}.npy", bytes(10_000 if name == "a" else 1))
    data = bytearray(saved.read_bytes())
    entries, at = [], data.index(b"PK\x01\x02")
    while at != -1:
        entries.append(at)
        at = data.find(b"PK\x01\x02", at + 4)
    first = entries[1]
    for entry in entries[2:]:
        data[entry + 16 : entry + 28] = data[first + 16 : first + 28]  # its sum and its sizes
        data[entry + 42 : entry + 46] = data[first + 42 : first + 46]  # and where it lies
    assert struct.unpack("<I", data[first + 24 : first + 28]) == (10_000,)
    saved.write_bytes(data)
    with pytest.raises(
        CorruptArtefact, match=r"larger together than any that Atypia writes|expected a saved Screener"
    ):
        read_artefact(saved)
