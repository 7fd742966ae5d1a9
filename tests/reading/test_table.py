"""A table is read with every row checked, and written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atypia.errors import BadOption, BadTable, OutputError
from atypia.reading.row import HEALTHY_SPLITS, LABELS, SPLITS, Row
from atypia.reading.table import read_table, write_table


def table(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode(encoding))
    return path


def read(tmp_path: Path, text: str, encoding: str = "utf-8") -> list[Row]:
    return read_table(table(tmp_path, text, encoding), tmp_path)


def test_all_columns_in_any_order(tmp_path: Path) -> None:
    text = "Kind,mask,colour,PATH,group,split,label\nfoo,m/a.png,red,x/a.png,7,Test,Abnormal\n,,,b.png,,,\n"
    assert read(tmp_path, text) == [
        Row(tmp_path / "x/a.png", "x/a.png", "abnormal", "test", "7", "foo", tmp_path / "m/a.png"),
        Row(tmp_path / "b.png", "b.png"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_dialects(tmp_path: Path, encoding: str, separator: str, newline: str) -> None:
    lines = [("path", "label"), ("ü/a.png", "normal"), ("b.png", "")]
    text = newline.join(separator.join(line) for line in lines) + newline
    rows = read(tmp_path, text, encoding)
    assert [(row.name, row.label) for row in rows] == [("ü/a.png", "normal"), ("b.png", None)]


def test_spaces_quotes_and_empty_lines(tmp_path: Path) -> None:
    rows = read(tmp_path, 'path, label ,kind\n"a, b.png", normal , x y \n\n,,\nc.png\n')
    assert [(row.name, row.label, row.kind) for row in rows] == [
        ("a, b.png", "normal", "x y"),
        ("c.png", None, None),
    ]


def test_absolute_paths_and_paths_outside_the_root(tmp_path: Path) -> None:
    rows = read(tmp_path, "path\n/data/a.png\n../b.png\n")
    assert [row.path for row in rows] == [Path("/data/a.png"), tmp_path / "../b.png"]


BAD = {
    "file,label\na.png,normal\n": r"t\.csv: expected a column 'path', received the columns 'file', 'label'",
    "": r"t\.csv: expected a column 'path', received no columns",
    "path,label\n": r"t\.csv: expected at least one row, received a table without rows",
    "path,path\na,b\n": r"expected one column 'path', received 2 of them",
    "path,label\na.png,normal\nb.png,\nc.png,tumour\n": r"row 4: expected a label out of normal, abnormal, "
    r"or none, received 'tumour'\. Did you mean 'abnormal'\?",
    "path,label\na.png,healthy\n": r"Did you mean 'normal'\?",
    "path,label\na.png,purple\n": r"Correct the label, or leave it empty",
    "path,split\na.png,val\n": r"row 2: expected a split out of train, threshold.*received 'val'",
    "path,split\na.png,tumour_test\n": r"Did you mean 'tumor_test'\?",
    "path\na.png\nx/../a.png\n": r"row 3: expected every scan once, received 'x/\.\./a\.png', the same file "
    r"as in row 2",
    "path,label,split\na.png,abnormal,train\n": r"row 2: expected only normal scans in the split 'train', "
    r"received the abnormal 'a\.png'",
    "path,label,split\na.png,ABNORMAL,Threshold\n": r"only normal scans in the split 'threshold'",
    "path,label,split\na.png,normal,tumor_test\n": r"only abnormal scans in the split 'tumor_test'",
    "path,label\n,normal\n": r"row 2: expected a path, received ''",
    "path\na\0.png\n": r"row 2: expected a path",
    "path,label\na,b.png,normal\n": r"row 2: expected at most 2 values, received 3",
    'path\na.png\n"b.png\n': r"row \d: expected a row of a CSV table, received one that is broken",
}


@pytest.mark.parametrize("text", BAD)
def test_what_a_table_may_not_hold(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadTable, match=BAD[text]) as caught:
        read(tmp_path, text)
    assert str(tmp_path / "t.csv") in str(caught.value)


def test_a_table_in_another_encoding_is_named(tmp_path: Path) -> None:
    for encoding in ("latin-1", "utf-16"):
        with pytest.raises(BadTable, match=r"expected a CSV table in UTF-8.*Save it as UTF-8"):
            read(tmp_path, "path\nü.png\n", encoding)


def test_links_to_one_file_are_duplicates(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    (tmp_path / "b.png").symlink_to("a.png")
    (tmp_path / "folder").symlink_to(".")
    for twin in ("b.png", "folder/a.png"):
        with pytest.raises(BadTable, match="row 3: expected every scan once"):
            read(tmp_path, f"path\na.png\n{twin}\n")


def test_parquet_with_numbers_gaps_and_categories(tmp_path: Path) -> None:
    columns = {
        "Path": pa.array(["a.png", "b.png", "c.png"]),
        "group": pa.array([7.0, float("nan"), None]),
        "label": pa.array(["normal", None, "abnormal"]).dictionary_encode(),
        "kind": pa.array([1, 2, 3]),
        "pixels": pa.array([[1], [2], [3]]),
    }
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    rows = read_table(tmp_path / "t.parquet", tmp_path)
    assert [(row.name, row.label, row.group, row.kind) for row in rows] == [
        ("a.png", "normal", "7", "1"),
        ("b.png", None, None, "2"),
        ("c.png", "abnormal", None, "3"),
    ]


def test_parquet_errors(tmp_path: Path) -> None:
    file = tmp_path / "t.parquet"
    file.write_bytes(b"not parquet at all")
    with pytest.raises(BadTable, match="expected a Parquet table"):
        read_table(file, tmp_path)
    pq.write_table(pa.table({"path": ["a.png", "b.png"], "label": ["normal", "odd"]}), file)
    with pytest.raises(BadTable, match="row 2: expected a label"):
        read_table(file, tmp_path)
    pq.write_table(pa.table({"file": ["a.png"]}), file)
    with pytest.raises(BadTable, match="expected a column 'path'"):
        read_table(file, tmp_path)


WORDS = st.none() | st.text(
    st.characters(exclude_categories=["C", "Z"], include_characters=" ,;\"'"), min_size=1, max_size=6
).filter(lambda word: word == word.strip())
STEMS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="/\0\r"), min_size=1, max_size=8
).filter(lambda stem: stem.strip() not in ("", ".", ".."))


@st.composite
def lists_of_rows(draw: st.DrawFn) -> list[Row]:
    rows = []
    for stem in draw(st.lists(STEMS, min_size=1, max_size=5, unique=True)):
        label, split = draw(st.none() | st.sampled_from(LABELS)), draw(st.none() | st.sampled_from(SPLITS))
        if (label == "abnormal" and split in HEALTHY_SPLITS) or (label == "normal" and split == "tumor_test"):
            split = None
        mask = Path("/base/masks", stem) if draw(st.booleans()) else None
        rows.append(
            Row(Path("/base/data", stem), f"data/{stem}", label, split, draw(WORDS), draw(WORDS), mask)
        )
    return rows


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=lists_of_rows(), suffix=st.sampled_from([".csv", ".parquet"]))
def test_there_and_back(tmp_path: Path, rows: list[Row], suffix: str) -> None:
    file = tmp_path / f"t{suffix}"
    write_table(rows, file, Path("/base"))
    assert read_table(file, Path("/base")) == rows


def test_paths_are_relative_where_a_folder_is_shared(tmp_path: Path) -> None:
    rows = [
        Row(tmp_path / "out" / "a.png", "a"),
        Row(tmp_path / "b.png", "b", mask=tmp_path / "m" / "b.png"),
        Row(Path("/elsewhere/c.png"), "c"),
    ]
    file = tmp_path / "out" / "new" / "t.csv"
    write_table(rows, file, tmp_path / "out")
    lines = file.read_text().splitlines()
    assert lines[1:] == ["a.png,,,,,", "../b.png,,,,,../m/b.png", "/elsewhere/c.png,,,,,"]
    assert [path.name for path in file.parent.iterdir()] == ["t.csv"]


def test_paths_beyond_a_link_still_lead_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "deep" / "out").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "out")
    (tmp_path / "a.png").touch()
    file = tmp_path / "link" / "t.csv"
    write_table([Row(tmp_path / "a.png", "a")], file, file.parent)
    assert read_table(file, file.parent)[0].path.exists()


def test_a_failed_write_leaves_the_old_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "t.csv"
    write_table([Row(tmp_path / "a.png", "a")], file, tmp_path)
    before = file.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OutputError, match=r"t\.csv.*No space left"):
        write_table([Row(tmp_path / "b.png", "b")], file, tmp_path)
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


def test_where_a_table_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(BadOption, match=r"ends in \.csv or \.parquet, received '\.xlsx'"):
        write_table([], tmp_path / "t.xlsx", tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        write_table([], tmp_path / "file" / "t.csv", tmp_path)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_how_a_scan_was_taken_returns_as_written_and_only_where_known(tmp_path, suffix):
    rows = [
        Row(tmp_path / "a.png", "a.png", plane="axial", scanner="one"),
        Row(tmp_path / "b.png", "b.png"),
    ]
    write_table(rows, tmp_path / f"t{suffix}", tmp_path)
    assert read_table(tmp_path / f"t{suffix}", tmp_path) == rows
    write_table(rows[1:], tmp_path / "plain.csv", tmp_path)
    assert "plane" not in (tmp_path / "plain.csv").read_text()


@pytest.mark.parametrize(
    "text",
    [
        f"path,plane,slice\nv.nii,axial,{'9' * 5000}\n",
        f"path,volume\nv.nii,{'9' * 5000}\n",
        "path,mask\na.png,m\0.png\n",
    ],
    ids=["slice", "volume", "mask"],
)
def test_numbers_and_paths_that_nothing_can_have_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadTable, match=r"row 2: expected"):
        read(tmp_path, text)


def test_a_name_that_no_file_can_have_is_only_not_there(tmp_path: Path) -> None:
    (row,) = read(tmp_path, f"path\n{'a' * 5000}\n")
    assert row.name == "a" * 5000


@pytest.mark.parametrize("at", [8, 60, -8], ids=["page", "text", "footer"])
def test_parquet_that_is_damaged_anywhere_is_told(tmp_path: Path, at: int) -> None:
    file = tmp_path / "t.parquet"
    pq.write_table(pa.table({"path": [f"{number}.png" for number in range(99)]}), file, compression="snappy")
    content = bytearray(file.read_bytes())
    content[at : at + 6] = b"\xff" * 6
    file.write_bytes(content)
    with pytest.raises(BadTable, match="expected"):
        read_table(file, tmp_path)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (pa.array(["x" * 40_000] * 2), "texts of at most 32,768 bytes"),
        (
            pa.DictionaryArray.from_arrays(pa.array([0] * 200_000, pa.int32()), pa.array(["x" * 99])),
            "200,000 rows",
        ),
        (pa.array([["a"], ["b"]]), "columns of texts and numbers, received one of list"),
    ],
    ids=["text", "rows", "lists"],
)
def test_a_parquet_table_that_unpacks_beyond_measure_is_refused(
    tmp_path: Path, rows: pa.Array, words: str
) -> None:
    file = tmp_path / "t.parquet"
    pq.write_table(pa.table({"path": rows}), file, compression="zstd")
    with pytest.raises(BadTable, match=words):
        read_table(file, tmp_path)
