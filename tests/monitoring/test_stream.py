from __future__ import annotations

import json

import numpy as np
import pytest

from atypia.errors import BadTable
from atypia.monitoring.stream import one_of_each, read_streams
from atypia.scan import Finding
from atypia.writing.table import FindingsWriter


def write(path, p_values, stratum=None):
    with FindingsWriter(path) as writer:
        for place, p in enumerate(p_values):
            writer.write(Finding(f"{place}.png", 1.0, p, False, 2.0, stratum=stratum))
        writer.write(Finding("bad.png", np.nan, np.nan, None, 2.0, error="no picture"))
        writer.write(Finding("ct.png", 1.0, 0.01, None, 2.0, unfit="not MRI"))
    return path


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_p_values_come_in_order_out_of_every_format(tmp_path, kind):
    tables = [
        write(tmp_path / f"one.{kind}", [0.1, 0.7, 1.0]),
        write(tmp_path / f"two.{kind}", [0.3], "plane=axial"),
    ]
    streams = read_streams(tables)
    assert streams.by_stratum[None].values().tolist() == [0.1, 0.7, 1.0]
    assert streams.by_stratum["plane=axial"].values().tolist() == [0.3]
    assert (streams.rows, streams.unreadable, streams.unfit) == (8, 2, 2)
    assert streams.where(1) == (f"one.{kind}", 2, "1.png")
    assert streams.where(streams.by_stratum["plane=axial"].places[0]) == (f"two.{kind}", 1, "0.png")


def test_tables_of_an_earlier_version_have_no_strata(tmp_path):
    table = tmp_path / "findings.csv"
    table.write_text("name,verdict,score,p_value\na.png,normal,1.0,0.5\n", encoding="utf-8")
    assert list(read_streams([table]).by_stratum) == [None]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "path,label\na.png,normal\n", "a column 'name', received the columns path, label"),
        ("a.csv", "", "a column 'name', received the columns of no table"),
        (
            "a.csv",
            "name,p_value\na.png,2.5\n",
            "scan 1: expected a p-value above 0 and at most 1, received '2.5'",
        ),
        ("a.csv", "name,p_value\na.png,0\n", "received '0'"),
        ("a.csv", "name,p_value\na.png,small\n", "received 'small'"),
        ("a.csv", "name,p_value\na.png,\n", "at least one scan with a p-value to test, received 1 without"),
        ("a.jsonl", "{broken\n", "expected a table of findings, received something else"),
        ("a.jsonl", "[1, 2]\n", "a column 'name'"),
        ("a.jsonl", '{"name": "a", "p_value": ' + "9" * 400 + "}", "expected a p-value above 0"),
        ("a.jsonl", '{"name": "a", "p_value": ' + "9" * 5000 + "}", "received something else"),
        ("a.jsonl", "[" * 100_000, "received something else"),
        ("a.parquet", "no table", "expected a Parquet table"),
        ("b.parquet", "PAR1" * 9, "expected a Parquet table"),
        ("a.txt", "", "a name that ends in '.txt'"),
    ],
    ids=range(14),
)
def test_what_is_no_table_of_findings_is_refused_with_its_place(tmp_path, name, text, words):
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(BadTable, match=words) as told:
        read_streams([tmp_path / name])
    assert name in str(told.value)


def test_a_table_that_is_not_there_is_told(tmp_path):
    with pytest.raises(BadTable, match="no such file"):
        read_streams([tmp_path / "none.csv"])


def test_of_each_group_one_scan_is_kept_whatever_the_order():
    rows = [(f"{n}.png", f"patient {n // 4}" if n < 12 else None) for n in range(15)]
    kept = one_of_each(rows)
    assert len(kept) == 3 + 3
    assert {"12.png", "13.png", "14.png"} <= kept
    assert kept == one_of_each(rows[::-1])


def test_the_others_of_a_group_are_left_out_and_counted(tmp_path):
    table = tmp_path / "a.jsonl"
    lines = [json.dumps({"name": f"{n}.png", "p_value": 0.5}) for n in range(4)]
    table.write_text("\n".join(lines), encoding="utf-8")
    streams = read_streams([table], frozenset({"1.png"}))
    assert (len(streams.by_stratum[None].values()), streams.repeated) == (1, 3)


def test_tables_of_one_name_are_told_apart_by_their_folders(tmp_path):
    tables = [tmp_path / day / "findings.csv" for day in ("monday", "tuesday")]
    for table in tables:
        table.parent.mkdir()
        table.write_text("name,p_value\na.png,0.5\n")
    assert [name for name, _ in read_streams(tables).starts] == [
        "monday/findings.csv",
        "tuesday/findings.csv",
    ]
    assert [name for name, _ in read_streams(tables[:1]).starts] == ["findings.csv"]


def test_a_stratum_that_is_no_text_is_taken_as_one(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"name": "a", "p_value": 0.5, "stratum": ["T1", 3]}\n')
    assert list(read_streams([tmp_path / "a.jsonl"]).by_stratum) == ["['T1', 3]"]
