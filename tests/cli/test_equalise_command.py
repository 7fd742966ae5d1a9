"""`equalise` copies a set, tells what was left out, and its exit code says whether all could be read."""

from __future__ import annotations

from pathlib import Path

from atypia.reading.collection import read_collection


def test_a_set_is_copied_and_can_be_scored(atypia, phantom_table: Path, nearest_file: Path, tmp_path: Path):
    done = atypia("equalise", phantom_table, "-o", tmp_path / "equal", "--side", 128)
    assert done.code == 0, done.err
    assert "48 scans, 8 with a mask, 128x128 pixels" in done.out
    assert len(read_collection(tmp_path / "equal" / "table.csv")) == 48
    assert atypia("score", nearest_file, tmp_path / "equal" / "images", "-o", tmp_path / "out").code == 0


def test_what_cannot_be_read_is_told_by_name(atypia, phantom_table: Path, tmp_path: Path):
    (tmp_path / "bad.png").write_bytes(b"nothing")
    good = phantom_table.parent / "healthy"
    done = atypia("equalise", good, tmp_path / "bad.png", "-o", tmp_path / "equal", "--side", 64)
    assert done.code == 1
    assert "bad.png: expected a JPEG" in done.err
    assert "40 scans" in done.out


def test_what_is_too_coarse_is_counted_by_label(atypia, phantom_table: Path, tmp_path: Path):
    done = atypia(
        "equalise",
        phantom_table,
        "-o",
        tmp_path / "equal",
        "--side",
        400,
        "--leave-out",
        30,
        "--format",
        "jpeg",
    )
    assert done.code == 0
    assert "left out, too coarse: " in done.out
    assert " normal" in done.out
