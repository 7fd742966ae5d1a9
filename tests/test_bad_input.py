"""What users really hand in, from the command line to the exit code: nothing of it may stop the rest."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

NEAREST = ("--detector", "nearest", "--encoder", "efficientnet-lite0")


def picture(size=(64, 64), kind="JPEG", value=None) -> bytes:
    noise = np.random.default_rng(1).integers(0, 256, size[::-1], dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise if value is None else np.full_like(noise, value)).save(out, kind)
    return out.getvalue()


def huge() -> bytes:
    """A whole picture of 20000x20000 pixels, in 50 kB."""
    out = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(out, "PNG")
    return out.getvalue()


BAD_PICTURES = {
    "cut.jpg": (
        lambda: picture()[:1000],
        "a whole picture",
        "a damaged file",
        "Fetch or export the file again",
    ),
    "text.png": (lambda: b"no picture\n", "a JPEG, PNG", "a text that begins 'no picture", "suffix"),
    "empty.png": (lambda: b"", "a JPEG, PNG", "an empty file", "suffix"),
    "dot.png": (lambda: picture((1, 1), "PNG"), "at least 16x16 pixels", "1x1 pixels", ""),
    "black.png": (
        lambda: picture(kind="PNG", value=0),
        "a head that differs from its background",
        "no contrast",
        "The picture is empty",
    ),
    "huge.png": (huge, "at most 8,388,608 pixels in", "20000x20000 = 400,000,000 pixels", "Make the picture"),
}


def rows_of(folder) -> dict[str, dict[str, str]]:
    with (folder / "findings.csv").open(encoding="utf-8", newline="") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def mixed(tmp_path_factory, phantom_table):
    """A folder with two good scans among one of each kind that is not."""
    folder = tmp_path_factory.mktemp("mixed")
    for name, (make, *_) in BAD_PICTURES.items():
        (folder / name).write_bytes(make())
    for name in ("0000.png", "0001.png"):
        shutil.copy(phantom_table.parent / "healthy" / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def judged(atypia, nearest_file, mixed, tmp_path_factory):
    out = tmp_path_factory.mktemp("judged")
    return atypia("score", nearest_file, mixed, "-o", out, "--heatmaps"), out


def test_bad_pictures_cost_their_own_rows_only(judged):
    outcome, out = judged
    rows = rows_of(out)
    assert outcome.code == 1
    assert outcome.out.startswith("2 scans judged, ")
    assert outcome.err == f"6 could not be judged: see the column error of {out / 'findings.csv'}\n"
    assert {name for name, row in rows.items() if row["verdict"] == "unreadable"} == set(BAD_PICTURES)
    assert all(row["score"] for name, row in rows.items() if name not in BAD_PICTURES)
    assert len(list((out / "heatmaps").iterdir())) == 2


@pytest.mark.parametrize("name", BAD_PICTURES)
def test_each_says_which_file_what_was_expected_and_what_to_do(judged, name):
    _, *told = BAD_PICTURES[name]
    row = rows_of(judged[1])[name]
    assert row["error"].startswith(f"{name}: expected ")
    assert all(words in row["error"] for words in told)
    assert (row["score"], row["p_value"], row["flagged"]) == ("", "", "")


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="this system does not tell the peak of memory"
)
def test_a_huge_picture_costs_no_memory(nearest_file, tmp_path):
    """Decoded it would take 1.6 GB; its size is checked first."""
    (tmp_path / "huge.png").write_bytes(huge())
    code = (
        "from pathlib import Path\nfrom atypia.cli import main\n"
        "try:\n    main()\nfinally:\n    print(Path('/proc/self/status').read_text())"
    )
    words = ["score", nearest_file, tmp_path / "huge.png", "-o", tmp_path / "out"]
    out = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, check=False
    )
    assert out.returncode == 1, out.stderr
    peak = re.search(r"VmHWM:\s+(\d+) kB", out.stdout)
    assert peak is not None
    assert int(peak[1]) < 700_000


def test_an_empty_folder_is_code_2(atypia, nearest_file, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    for words in (("score", nearest_file, empty), ("fit", empty), ("evaluate", nearest_file, empty)):
        outcome = atypia(*words, "-o", tmp_path / "out")
        assert outcome.code == 2
        assert outcome.err.startswith(f"atypia: {empty}: expected a folder with pictures")
        assert "Check the path" in outcome.err


BAD_TABLES = {
    "a missing column": ("file,label\na.png,normal\n", ("expected a column 'path'", "only path is required")),
    "an unknown label": (
        "path,label\na.png,normal\nb.png,healthy\n",
        ("row 3: expected a label out of normal, abnormal", "'healthy'", "Did you mean 'normal'?"),
    ),
    "an unknown split": ("path,split\na.png,trian\n", ("row 2: expected a split", "Did you mean 'train'?")),
    "a duplicate path": (
        "path\na.png\nsub/../a.png\n",
        ("row 3: expected every scan once", "the same file as in row 2", "Delete one"),
    ),
    "an abnormal scan in train": (
        "path,label,split\na.png,normal,train\nb.png,abnormal,train\n",
        (
            "row 3: expected only normal scans in the split 'train'",
            "'b.png'",
            "Nothing is learned from abnormal",
        ),
    ),
    "no rows": ("path,label\n", ("expected at least one row", "List one scan a row")),
    "not text": ("path\n\udcff.png\n", ("expected a CSV table in UTF-8", "Save it as UTF-8")),
}


@pytest.mark.parametrize("kind", BAD_TABLES)
@pytest.mark.parametrize("command", ["fit", "score", "evaluate", "split"])
def test_a_bad_table_is_code_2(atypia, nearest_file, tmp_path, kind, command):
    content, told = BAD_TABLES[kind]
    table = tmp_path / "table.csv"
    table.write_text(content, encoding="utf-8", errors="surrogateescape")
    model = [nearest_file] if command in ("score", "evaluate") else []
    outcome = atypia(command, *model, table, "-o", tmp_path / "out.csv")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"atypia: {table}")
    assert outcome.err.count("\n") == 1
    assert all(words in outcome.err for words in told)
    assert not (tmp_path / "out.csv").exists()


def test_pictures_that_a_table_lists_and_that_are_not_there_cost_their_rows(atypia, nearest_file, tmp_path):
    (tmp_path / "table.csv").write_text("path\na.png\n")
    outcome = atypia("score", nearest_file, tmp_path / "table.csv", "-o", tmp_path / "out")
    assert outcome.code == 1
    assert "no such file. Check the path, and --root" in rows_of(tmp_path / "out")["a.png"]["error"]


def test_too_few_usable_healthy_scans_are_code_2(atypia, phantom_table, tmp_path):
    """25 files, of which 6 cannot be read."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for number in range(25):
        shutil.copy(phantom_table.parent / "healthy" / f"{number:04d}.png", folder)
    for number in range(6):
        (folder / f"{number:04d}.png").write_text("no picture")
    outcome = atypia("fit", folder, "-o", tmp_path / "brain.atypia", *NEAREST)
    assert outcome.code == 2
    assert "at least 20 usable healthy scans" in outcome.err
    assert f"{folder}{os.sep}000" in outcome.err
    assert {path.name for path in tmp_path.iterdir()} == {"scans"}


def test_a_full_disk_while_saving_keeps_what_was_there(atypia, phantom_table, tmp_path, monkeypatch):
    file = tmp_path / "brain.atypia"
    file.write_text("an older Screener")

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    outcome = atypia("fit", phantom_table, "-o", file, *NEAREST)
    assert outcome.code == 6
    assert f"{file}: " in outcome.err
    assert "No space left on device" in outcome.err
    assert file.read_text() == "an older Screener"
    assert {path.name for path in tmp_path.iterdir()} == {"brain.atypia"}


@pytest.mark.parametrize(
    ("words", "limit"),
    [
        (("score", "{model}", "{data}/abnormal", "-o", "{out}"), 64),
        (("score", "{model}", "{data}/abnormal", "-o", "{out}", "--heatmaps"), 4096),
        (("fit", "{data}/table.csv", "-o", "{out}/brain.atypia", *NEAREST), 4096),
        (("split", "{data}", "-o", "{out}/table.csv"), 64),
    ],
    ids=["findings", "heat maps", "Screener", "table"],
)
def test_a_disk_that_is_really_full_is_code_6(nearest_file, phantom_table, tmp_path, words, limit):
    """The system itself refuses to write more than so many bytes to any file."""
    out = tmp_path / "out"
    typed = [word.format(model=nearest_file, data=phantom_table.parent, out=out) for word in words]
    run = subprocess.run(
        [sys.executable, "-m", "atypia", *typed],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},  # or others would find half of a module
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert run.returncode == 6, run.stderr
    assert "File too large" in run.stderr
    assert run.stderr.splitlines()[-1].startswith("atypia: ")
    assert not [path for path in out.rglob("*") if path.is_file() and path.suffix != ".png"]


def damaged(file):
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0xFF
    file.write_bytes(data)


def newer(file):
    """Raise the number of the format, as a later version would write it."""
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    head = json.loads(members["screener.json"]) | {"format": 99, "atypia": "9.0"}
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in (members | {"screener.json": json.dumps(head)}).items():
            archive.writestr(name, data)


BAD_FILES = {
    "missing": (lambda file: file.unlink(), "expected a saved Screener, received no such file"),
    "a folder": (lambda file: (file.unlink(), file.mkdir()), "expected a saved Screener"),
    "text": (lambda file: file.write_text("no zip"), "make it anew with 'atypia fit'"),
    "cut short": (lambda file: file.write_bytes(file.read_bytes()[:9999]), "make it anew with 'atypia fit'"),
    "damaged": (damaged, ""),
    "newer": (newer, "saved in format 99 by Atypia 9.0"),
}


@pytest.mark.parametrize("kind", BAD_FILES)
@pytest.mark.parametrize("command", ["info", "score", "evaluate"])
def test_a_screener_that_cannot_be_used_is_code_3(
    atypia, nearest_file, phantom_table, tmp_path, kind, command
):
    spoil, told = BAD_FILES[kind]
    file = shutil.copy(nearest_file, tmp_path / "brain.atypia")
    spoil(file)
    rest = () if command == "info" else (phantom_table, "-o", tmp_path / "out")
    outcome = atypia(command, file, *rest)
    assert (outcome.code, outcome.out) == (3, "")
    assert outcome.err.startswith(f"atypia: {file}: ")
    assert outcome.err.count("\n") == 1
    assert told in outcome.err
    assert not (tmp_path / "out").exists()


ODD_NAMES = (
    b"two\nlines.png",
    b"\xff\xfe.png",
    b"=cmd().png",
    b"-o.png",
    "Größe 日本.png".encode(),
    b'"q",.png',
)


@pytest.fixture(scope="module")
def odd(tmp_path_factory, phantom_table):
    """Class folders whose pictures have names that tables, terminals and pages may stumble over."""
    folder = tmp_path_factory.mktemp("odd")
    for label, source in (("healthy", "healthy"), ("tumor", "abnormal")):
        (folder / label).mkdir()
        for name in ODD_NAMES:
            with open(os.path.join(os.fsencode(folder / label), name), "wb") as copy:  # noqa: PTH118, PTH123
                copy.write((phantom_table.parent / source / "0000.png").read_bytes())
    return folder


def test_odd_names_do_not_break_the_table(atypia, nearest_file, odd, tmp_path):
    outcome = atypia("score", nearest_file, odd / "healthy", "-o", tmp_path, "--heatmaps")
    names = set(rows_of(tmp_path))
    assert (outcome.code, outcome.err) == (0, "")
    assert names == {
        "two\nlines.png",
        "\\udcff\\udcfe.png",
        "'=cmd().png",
        "'-o.png",
        "Größe 日本.png",
        '"q",.png',
    }
    assert len(list((tmp_path / "heatmaps").iterdir())) == len(ODD_NAMES)


def test_odd_names_do_not_break_the_report(atypia, nearest_file, odd, tmp_path):
    outcome = atypia("evaluate", nearest_file, odd, "-o", tmp_path, "--allow-leak")
    assert outcome.code == 0
    assert "2 clusters of near-copies with 12 scans" in outcome.err
    assert "The normal scans are of one group" in outcome.err
    assert "Größe 日本.png" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert len(rows_of(tmp_path)) == 2 * len(ODD_NAMES)


def test_an_odd_name_on_the_command_line_is_told_in_one_piece(atypia, nearest_file, tmp_path):
    outcome = atypia("score", nearest_file, tmp_path / "no\udcff such", "-o", tmp_path / "out")
    assert outcome.code == 2
    assert "expected a folder of scans" in outcome.err
