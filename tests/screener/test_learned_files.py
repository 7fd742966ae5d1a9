from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from atypia.artefact import read_artefact, write_artefact
from atypia.errors import CorruptArtefact
from atypia.reading.collection import Row, read_collection
from atypia.scan import Scan
from atypia.screener import Screener
from atypia.screener.learned_files import LEARNED_FILES, count_learned, fingerprints


def test_fingerprints_are_of_the_content_and_not_of_the_name(tmp_path: Path) -> None:
    for name, content in (("a", b"one"), ("b", b"one"), ("c", b"two")):
        (tmp_path / name).write_bytes(content)
    rows = [Row(tmp_path / name, name) for name in "abc"]
    learned = fingerprints(rows)
    assert learned.dtype == np.uint64
    assert len(learned) == 2
    assert (np.diff(learned) > 0).all()
    assert count_learned(rows, learned) == 3
    assert count_learned(rows, fingerprints(rows[2:])) == 1
    assert count_learned(rows, np.empty(0, np.uint64)) == 0


def test_what_is_no_file_or_cannot_be_read_has_no_fingerprint(tmp_path: Path) -> None:
    scan = Scan(np.zeros((3, 3), np.float32), "in memory")
    assert len(fingerprints([scan, Row(tmp_path / "missing", "missing")])) == 0


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_pipes_and_devices_have_no_fingerprint_and_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    rows = [Row(tmp_path / name, name) for name in ("pipe.png", "zero.png", "x" * 300)]
    assert len(fingerprints(rows)) == 0


def test_a_saved_screener_knows_what_it_learned_from(
    nearest_file: Path, phantom_table: Path, tmp_path: Path
) -> None:
    table = read_collection(phantom_table)
    screener = Screener.load(nearest_file)
    assert count_learned(table.select(split="train"), screener.learned_files_) == 24
    assert count_learned(table.select(split="threshold"), screener.learned_files_) == 8
    assert count_learned(table.select(split="test"), screener.learned_files_) == 0
    screener.save(tmp_path / "again.atypia")
    again = Screener.load(tmp_path / "again.atypia")
    np.testing.assert_array_equal(again.learned_files_, screener.learned_files_)


def test_no_name_of_a_scan_is_in_the_file(nearest_file: Path, phantom_table: Path) -> None:
    content = nearest_file.read_bytes()
    rows = read_collection(phantom_table).select(split="train")
    assert not any(row.name.encode() in content or str(row.group).encode() in content for row in rows)


def test_an_older_file_without_fingerprints_is_read(nearest_file: Path, tmp_path: Path) -> None:
    artefact = read_artefact(Path(shutil.copy(nearest_file, tmp_path / "old.atypia")))
    del artefact.arrays[LEARNED_FILES]
    write_artefact(artefact, tmp_path / "old.atypia")
    assert len(Screener.load(tmp_path / "old.atypia").learned_files_) == 0


def test_fingerprints_that_are_something_else_are_refused(nearest_file: Path, tmp_path: Path) -> None:
    artefact = read_artefact(nearest_file)
    artefact.arrays[LEARNED_FILES] = np.zeros((2, 2))
    write_artefact(artefact, tmp_path / "odd.atypia")
    with pytest.raises(CorruptArtefact, match="expected a list of fingerprints"):
        Screener.load(tmp_path / "odd.atypia")


def test_the_slices_of_a_volume_share_its_file(tmp_path, monkeypatch):
    path = tmp_path / "a.nii.gz"
    path.write_bytes(b"a volume")
    rows = [Row(path, f"a:ax{n:03}", plane="axial", slice=n) for n in range(5)]
    read = []
    whole = Path.open
    monkeypatch.setattr(Path, "open", lambda self, mode: read.append(self) or whole(self, mode))
    learned = fingerprints(rows)
    assert len(learned) == 1
    assert count_learned(rows, learned) == 5
    assert read == [path, path], "once to learn, once to count"
