from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import pickle
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from atypia.artefact import FORMAT, HEAD, MANIFEST, Artefact, read_artefact, read_head, write_artefact
from atypia.errors import ArtefactError, CorruptArtefact, NewerArtefact, OutputError

MEMBERS = [HEAD, "graphs/network.onnx", "arrays/bank.npy", "arrays/cells.npy", MANIFEST]


def example() -> Artefact:
    arrays = {
        "bank": np.linspace(0, 1, 24, dtype=np.float32).reshape(4, 6),
        "cells": np.eye(3, dtype=np.float16),
    }
    return Artefact(
        {"atypia": "0.1.0", "detector": {"name": "nearest"}}, arrays, {"network": bytes(range(256))}
    )


@pytest.fixture
def saved(tmp_path) -> Path:
    path = tmp_path / "brain.atypia"
    write_artefact(example(), path)
    return path


def rewrite(path: Path, change) -> None:
    """Write the zip anew with its members, from name to bytes, changed in place."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def hashed(members) -> None:
    """Make the manifest anew, as one does who is not content with damage."""
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in members.items() if name != MANIFEST}
    members[MANIFEST] = json.dumps({"sha256": hashes}).encode()


def change_head(path: Path, **changes) -> None:
    def change(members):
        members[HEAD] = json.dumps(json.loads(members[HEAD]) | changes).encode()
        hashed(members)

    rewrite(path, change)


def assert_same(found: Artefact, expected: Artefact) -> None:
    assert (found.head, found.graphs) == (expected.head, expected.graphs)
    assert found.arrays.keys() == expected.arrays.keys()
    for name, array in expected.arrays.items():
        assert found.arrays[name].dtype == array.dtype
        assert np.array_equal(found.arrays[name], array)


def test_what_was_written_is_read(saved):
    assert_same(read_artefact(saved), example())


def test_what_was_read_can_be_written(saved, tmp_path):
    write_artefact(read_artefact(saved), tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == saved.read_bytes()


def test_same_content_gives_the_same_bytes(saved, tmp_path):
    turned = example()
    turned = Artefact(turned.head, dict(reversed(turned.arrays.items())), turned.graphs)
    write_artefact(turned, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == saved.read_bytes()


def test_it_is_a_zip_of_json_graphs_and_plain_arrays(saved):
    with zipfile.ZipFile(saved) as archive:
        assert archive.namelist() == MEMBERS
        head = json.loads(archive.read(HEAD))
        assert head["format"] == FORMAT
        assert set(json.loads(archive.read(MANIFEST))["sha256"]) == set(MEMBERS) - {MANIFEST}
        assert np.load(io.BytesIO(archive.read("arrays/bank.npy")), allow_pickle=False).shape == (4, 6)


@pytest.mark.parametrize("name", MEMBERS)
def test_a_damaged_member_is_named(saved, name):
    data = bytearray(saved.read_bytes())
    with zipfile.ZipFile(saved) as archive:
        info = archive.getinfo(name)
        start = info.header_offset + 30 + len(name)
    data[start + info.compress_size // 2] ^= 0xFF
    saved.write_bytes(data)
    with pytest.raises(CorruptArtefact, match=rf"brain\.atypia: {name} is damaged .*Copy the file again"):
        read_artefact(saved)


def test_no_damaged_byte_gives_another_content(saved, tmp_path):
    whole = saved.read_bytes()
    damaged = tmp_path / "damaged"
    refused = 0
    for place in range(len(whole)):
        damaged.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        with contextlib.suppress(ArtefactError):
            refused += 1
            assert_same(read_artefact(damaged), example())
            refused -= 1
    assert refused > 0.7 * len(whole)


def test_a_file_cut_short_anywhere_is_corrupt(saved):
    whole = saved.read_bytes()
    for length in range(0, len(whole), 7):
        saved.write_bytes(whole[:length])
        with pytest.raises(CorruptArtefact, match="expected a saved Screener"):
            read_artefact(saved)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04", pickle.dumps({"a": 1}), bytes(5000)])
def test_a_file_that_is_no_zip_is_corrupt(tmp_path, content):
    path = tmp_path / "brain.atypia"
    path.write_bytes(content)
    with pytest.raises(CorruptArtefact, match=r"a zip with screener\.json"):
        read_artefact(path)


def test_no_file_and_a_folder_are_told(tmp_path):
    with pytest.raises(CorruptArtefact, match="no such file"):
        read_artefact(tmp_path / "none.atypia")
    with pytest.raises(CorruptArtefact, match="directory"):
        read_artefact(tmp_path)


@pytest.mark.parametrize("name", MEMBERS)
def test_a_missing_member_is_named(saved, name):
    rewrite(saved, lambda members: members.pop(name))
    with pytest.raises(CorruptArtefact, match=f"{name} is missing"):
        read_artefact(saved)


def test_another_zip_is_corrupt(saved):
    rewrite(saved, lambda members: [members.clear(), members.update({"readme.txt": b"hello"})])
    with pytest.raises(CorruptArtefact, match=f"{HEAD} is missing"):
        read_artefact(saved)


def test_a_member_that_was_exchanged_is_named(saved):
    rewrite(saved, lambda members: members.update({"graphs/network.onnx": b"another network"}))
    with pytest.raises(
        CorruptArtefact, match=r"graphs/network\.onnx is not what was saved \(its hash differs\)"
    ):
        read_artefact(saved)


def test_a_member_that_the_manifest_does_not_list_is_refused(saved):
    rewrite(saved, lambda members: members.update({"graphs/other.onnx": b"planted"}))
    with pytest.raises(CorruptArtefact, match=r"graphs/other\.onnx does not belong to what was saved"):
        read_artefact(saved)


def test_a_head_that_was_exchanged_is_found(saved):
    def change(members):
        members[HEAD] = members[HEAD].replace(b"nearest", b"another")

    rewrite(saved, change)
    with pytest.raises(CorruptArtefact, match=r"screener\.json is not what was saved \(its hash differs\)"):
        read_artefact(saved)


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"{}", b'{"sha256": {}}', b'{"sha256": 3}', b"[" * 100_000]
)
def test_a_manifest_that_makes_no_sense_is_corrupt(saved, text):
    rewrite(saved, lambda members: members.update({MANIFEST: text}))
    with pytest.raises(CorruptArtefact, match=r"manifest\.json"):
        read_artefact(saved)


def test_a_newer_format_is_refused_with_what_to_do(saved):
    change_head(saved, format=FORMAT + 1, atypia="9.0")
    with pytest.raises(NewerArtefact, match=r"format 4 by Atypia 9\.0.*pip install --upgrade atypia"):
        read_artefact(saved)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": None},
        {"format": "new"},
        {"format": 2},
        {"format": 2, "sha256": None},
        {"format": 1, "sha256": ["a"]},
        {"format": 1, "sha256": "x"},
    ],
)
def test_a_head_that_makes_no_sense_is_corrupt(saved, changes):
    change_head(saved, **changes)
    with pytest.raises(CorruptArtefact, match=HEAD):
        read_artefact(saved)


@pytest.mark.parametrize("text", [b"", b"{", b"[1, 2]", b"\xff\xfe\xfa", b"[" * 100_000])
def test_a_head_that_is_no_json_is_corrupt(saved, text):
    rewrite(saved, lambda members: members.update({HEAD: text}))
    with pytest.raises(CorruptArtefact, match=HEAD):
        read_artefact(saved)


def plant(path: Path, name: str, data: bytes) -> None:
    """Put a member in, with the hash that belongs to it."""

    def change(members):
        members[name] = data
        hashed(members)

    rewrite(path, change)


class Trap:
    """What would run when it is unpickled."""

    def __reduce__(self):
        return (Path.touch, (Path(__file__).with_name("sprung"),))


def test_a_pickled_array_is_refused_and_never_run(saved):
    buffer = io.BytesIO()
    np.save(buffer, np.array([Trap()], dtype=object), allow_pickle=True)
    plant(saved, "arrays/bank.npy", buffer.getvalue())
    with pytest.raises(CorruptArtefact, match=r"arrays/bank\.npy is not a plain array"):
        read_artefact(saved)
    assert not Path(__file__).with_name("sprung").exists()


@pytest.mark.parametrize("data", [b"", b"\x93NUMPY\x01\x00", pickle.dumps([1]), b"PK\x03\x04" + bytes(100)])
def test_an_array_that_is_none_is_refused(saved, data):
    plant(saved, "arrays/bank.npy", data)
    with pytest.raises(CorruptArtefact, match=r"arrays/bank\.npy is not a plain array"):
        read_artefact(saved)


def test_an_array_that_claims_an_absurd_shape_is_refused(saved):
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (2000000000, 2000000000), }"
    header += b" " * (118 - len(header) - 1) + b"\n"
    plant(saved, "arrays/bank.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(CorruptArtefact, match=r"arrays/bank\.npy is not a plain array"):
        read_artefact(saved)


@pytest.mark.parametrize("name", MEMBERS)
def test_a_member_of_absurd_size_is_refused_unread(saved, name):
    """The size that a zip's directory tells is what a reader would make room for."""
    data = bytearray(saved.read_bytes())
    entry = data.index(b"PK\x01\x02")
    while data[entry + 46 : entry + 46 + len(name)] != name.encode():
        entry = data.index(b"PK\x01\x02", entry + 4)
    data[entry + 24 : entry + 28] = (0xFFFFFFF0).to_bytes(4, "little")
    saved.write_bytes(data)
    with pytest.raises(CorruptArtefact, match=f"{name} is larger than any .*4294967280 bytes"):
        read_artefact(saved)


def test_a_packed_bomb_is_refused(saved):
    with zipfile.ZipFile(saved) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["graphs/network.onnx"] = bytes(50_000_000)
    with zipfile.ZipFile(saved, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    assert saved.stat().st_size < 100_000
    with pytest.raises(CorruptArtefact, match="larger than any that Atypia writes"):
        read_artefact(saved)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_ways_of_packing_are_refused(saved, method):
    with zipfile.ZipFile(saved) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(saved, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(CorruptArtefact, match="packed as Atypia never does"):
        read_artefact(saved)


def test_numbers_that_json_cannot_hold_leave_the_older_file(saved):
    before = saved.read_bytes()
    with pytest.raises(ValueError, match="JSON"):
        write_artefact(Artefact({"loss": float("nan")}, {}, {}), saved)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_a_disk_that_is_full_leaves_the_older_file(saved, monkeypatch):
    before = saved.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(zipfile._ZipWriteFile, "write", full)
    with pytest.raises(OutputError, match=r"brain\.atypia: could not be written \(No space left on device\)"):
        write_artefact(example(), saved)
    monkeypatch.undo()
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


LIMITED = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from atypia.artefact import Artefact, write_artefact
from atypia.errors import OutputError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
sys.dont_write_bytecode = True  # or others would find half of a module
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    write_artefact(Artefact({}, {"bank": np.zeros(100_000)}, {}), Path(sys.argv[1]))
except OutputError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the limit on a file's size is POSIX")
def test_a_file_that_may_not_grow_leaves_the_older_file(saved):
    before = saved.read_bytes()
    out = subprocess.run(
        [sys.executable, "-W", "error", "-c", LIMITED, saved], capture_output=True, text=True, check=False
    )
    assert (out.returncode, out.stderr) == (0, "")
    assert "could not be written (File too large)" in out.stdout
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 256 KiB, where this process may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    options = ["-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if mount is None or subprocess.run([mount, *options], capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_file_system_leaves_the_older_file(small_disk):
    path = small_disk / "brain.atypia"
    write_artefact(example(), path)
    before = path.read_bytes()
    large = Artefact({}, {"bank": np.zeros(100_000)}, {})
    with pytest.raises(OutputError, match="No space left on device"):
        write_artefact(large, path)
    assert path.read_bytes() == before
    assert list(small_disk.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="could not be written"):
        write_artefact(example(), tmp_path / "file" / "brain.atypia")


def test_the_head_alone_is_read_and_verified(saved):
    assert read_head(saved)["detector"] == {"name": "nearest"}

    def other(members: dict[str, bytes]) -> None:
        members[HEAD] = members[HEAD].replace(b"nearest", b"farther")

    rewrite(saved, other)
    with pytest.raises(CorruptArtefact, match="its hash differs"):
        read_head(saved)
