"""One door for pictures, folders and tables, alone or joined."""

from __future__ import annotations

from pathlib import Path

import pytest

from atypia.errors import BadOption, BadTable
from atypia.reading.collection import (
    Collection,
    Row,
    read_collection,
    read_collections,
    write_collection,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("no/a.png", "no/b.png", "yes/a.png"):
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).touch()
    return tmp_path / "data"


def names(collection: Collection) -> list[str]:
    return [row.name for row in collection]


def test_a_folder_a_table_and_a_picture(folder: Path) -> None:
    assert names(read_collection(folder)) == ["no/a.png", "no/b.png", "yes/a.png"]
    assert names(read_collection(folder / "no" / "a.png")) == ["a.png"]
    (folder / "t.csv").write_text("path,label\nno/a.png,normal\n")
    collection = read_collection(folder / "t.csv")
    assert collection.rows == (Row(folder / "no/a.png", "no/a.png", "normal"),)
    assert collection.source == str(folder / "t.csv")


def test_a_table_may_start_from_another_root(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("path\nno/a.png\nno/gone.png\n")
    collection = read_collection(tmp_path / "t.csv", root=folder)
    assert [row.path.exists() for row in collection] == [True, False]
    with pytest.raises(BadOption, match="expected the folder that a table's paths start from"):
        read_collection(tmp_path / "t.csv", root=tmp_path / "gone")


@pytest.mark.parametrize("name", ["gone", "gone.csv", "notes.txt", "bare"])
def test_what_is_no_collection_is_refused(tmp_path: Path, name: str) -> None:
    if "gone" not in name:
        (tmp_path / name).touch()
    with pytest.raises(BadTable, match=r"expected a folder of scans, a table .* or a volume .*, received"):
        read_collection(tmp_path / name)


def test_what_may_not_be_read_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(BadTable, match=r"data: .*that can be read, received: Permission denied"):
        read_collection(folder)


def test_selection_and_properties() -> None:
    rows = (
        Row(Path("a"), "a", "normal", "train", "1"),
        Row(Path("b"), "b", "normal", "test"),
        Row(Path("c"), "c", "abnormal", "test"),
    )
    collection = Collection(rows, "x")
    assert (len(collection), collection.has_labels, collection.has_groups, collection.has_splits) == (
        3,
        True,
        True,
        True,
    )
    assert names(collection.select(split="test")) == ["b", "c"]
    assert names(collection.select(label="normal")) == ["a", "b"]
    assert names(collection.select(split="test", label="abnormal")) == ["c"]
    assert collection.select() == collection
    bare = collection.select(split="validation")
    assert (len(bare), bare.has_labels, bare.has_groups, bare.has_splits) == (0, False, False, False)


def test_joined_sources_keep_names_that_are_unique(folder: Path) -> None:
    joined = read_collections([folder / "no" / "b.png", folder / "yes"])
    assert names(joined) == ["b.png", "a.png"]
    assert joined.source == f"{folder / 'no' / 'b.png'}, {folder / 'yes'}"
    assert read_collections([folder]).rows == read_collection(folder).rows


def test_joined_sources_tell_equal_names_apart(folder: Path) -> None:
    joined = read_collections([folder / "no", folder / "yes"])
    assert names(joined) == ["no/a.png", "no/b.png", "yes/a.png"]
    assert names(read_collections([folder / "yes", folder / "no"])) == ["yes/a.png", "no/a.png", "no/b.png"]


def test_a_scan_listed_twice_is_taken_once(folder: Path) -> None:
    joined = read_collections([folder, folder / "no", folder / "yes" / "a.png"])
    assert joined.rows == read_collection(folder).rows


def test_two_labels_for_one_scan_are_refused(folder: Path) -> None:
    (folder / "t.csv").write_text("path,label\nyes/a.png,normal\n")
    with pytest.raises(BadTable, match=r"a\.png: expected one label, received 'abnormal' .* 'normal'"):
        read_collections([folder, folder / "t.csv"])
    with pytest.raises(BadTable, match="received none"):
        read_collections([])


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_collection_written_reads_back(folder: Path, suffix: str) -> None:
    collection = read_collection(folder)
    write_collection(collection, folder / f"t{suffix}")
    assert read_collection(folder / f"t{suffix}").rows == collection.rows
    write_collection(collection, folder.parent / f"t{suffix}", root=folder)
    assert read_collection(folder.parent / f"t{suffix}", root=folder).rows == collection.rows


@pytest.mark.real_data
def test_the_benchmark_tables_read(real_data: Path) -> None:
    tables = sorted((real_data.parent / "benchmarks").glob("*.csv"))
    if not tables:
        pytest.skip(f"no tables beside {real_data}")
    for table in tables:
        collection = read_collection(table, root=real_data)
        assert len(collection) == len(table.read_text().splitlines()) - 1
        assert collection.rows[-1].path.exists()
        assert len(collection.select(split="train")) > 200


def test_the_title_names_the_sources_and_not_the_way_to_them(tmp_path):
    for name in ("a", "b, c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(b"")
    both = read_collections([tmp_path / "a", tmp_path / "b, c"])
    assert both.title == "a, b, c"
    assert Collection((), "t.csv").title == "t.csv"
    assert Collection((), ".").title == Path.cwd().name
    assert Collection((), "/").title == "/"
