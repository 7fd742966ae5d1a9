"""Scans, tables and results in an object store: a real S3 server on this machine."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from atypia.cluster import place as places
from atypia.cluster.place import LOCK, held_place
from atypia.errors import BadTable, OutputError, StoreFailed, UnreadableScan
from atypia.reading.collection import read_collection, read_collections
from atypia.reading.rows import read_row
from atypia.remote import demand_reachable, fetch, is_remote, listing, put

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture(scope="module")
def prefix(store, scans_folder) -> Path:
    """All pictures below s3://archive/scans, and two tables of them, one row of which leads nowhere."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    assert store.startswith("http://")
    root = Path("s3://archive/scans")
    files = sorted(scans_folder.iterdir())
    for file in files:
        put(root / file.name, file.read_bytes())
    put(root / "empty.png", b"")
    put(root / "notes.txt", b"no scan")
    paths = [f"scans/{file.name}" for file in files] + ["s3://archive/gone/x.png"]
    local = scans_folder.parent / "manifest.parquet"
    pq.write_table(pa.table({"path": paths}), local)
    put(Path("s3://archive/manifest.parquet"), local.read_bytes())
    put(Path("s3://archive/manifest.csv"), "\n".join(["path", *paths]).encode())
    return root


def test_a_prefix_is_listed_as_a_folder_is(prefix, scans):
    listed = read_collection(prefix)
    assert [row.name for row in listed] == [*(row.name for row in scans), "empty.png"]
    assert all(is_remote(row.path) for row in listed)
    assert listed.source == "s3://archive/scans"


def test_pixels_are_those_of_the_file(prefix, scans):
    there = read_row(read_collection(prefix).rows[0])
    here = read_row(scans.rows[0])
    assert (there.pixels == here.pixels).all()
    assert there.name == here.name


@pytest.mark.parametrize("name", ["manifest.parquet", "manifest.csv"])
def test_a_table_there_names_scans_there(prefix, name):
    listed = read_collections([Path("s3://archive") / name])
    assert len(listed) == 23
    assert listed.rows[0].path == prefix / "00.png"
    assert listed.rows[-1].path == Path("s3://archive/gone/x.png")


@pytest.mark.usefixtures("prefix")
def test_the_local_engine_reads_from_there_and_tells_of_what_is_not(
    atypia, quick_file, scans_folder, tmp_path
):
    done = atypia(
        "score", quick_file, "s3://archive/manifest.csv", "-o", tmp_path / "out", "--format", "jsonl"
    )
    assert done.code == 1, done.err
    rows = [json.loads(line) for line in (tmp_path / "out" / "findings.jsonl").read_text().splitlines()]
    assert atypia("score", quick_file, scans_folder, "-o", tmp_path / "local", "--format", "jsonl").code == 1
    local = [json.loads(line) for line in (tmp_path / "local" / "findings.jsonl").read_text().splitlines()]
    assert [row["score"] for row in rows[:-1]] == [row["score"] for row in local]
    assert "received no such object" in rows[-1]["error"]
    assert "no such object" not in rows[7]["error"], "that one is there, but is no picture"


def test_an_object_without_bytes_is_an_empty_file(prefix):
    with pytest.raises(UnreadableScan, match="received an empty file"):
        read_row(read_collection(prefix / "empty.png").rows[0])


def test_an_object_that_is_too_large_is_not_fetched_whole(prefix):
    with pytest.raises(OSError, match="more than 10 bytes"):
        fetch(prefix / "00.png", 10)


@pytest.mark.usefixtures("prefix")
@pytest.mark.parametrize(
    ("source", "received"),
    [
        ("s3://archive/nothing/here", "a prefix without objects"),
        ("s3://archive/scans/notes", "a prefix without objects"),
        ("s3://archive/gone.csv", "no such object"),
        ("s3://no-such-bucket/gone.parquet", "no such object"),
    ],
)
def test_what_is_not_there(source, received):
    with pytest.raises(BadTable, match=f"received:? {received}"):
        read_collection(Path(source))


@pytest.mark.usefixtures("prefix")
def test_a_volume_is_read_from_there(draw_heads, tmp_path):
    import nibabel
    import numpy as np

    grid = np.moveaxis(draw_heads(4, size=32)[0], 0, 2)
    file = tmp_path / "sub-01.nii.gz"
    nibabel.save(nibabel.Nifti1Image(grid, np.diag([1, 1, 4, 1])), file)
    put(Path("s3://archive/volumes/sub-01.nii.gz"), file.read_bytes())
    put(Path("s3://archive/volumes/series.dcm"), b"")
    there, here = read_collection(Path("s3://archive/volumes")), read_collection(file)
    assert [row.name for row in there] == ["series.dcm", *(row.name for row in here)]
    assert (read_row(there.rows[1]).pixels == read_row(here.rows[0]).pixels).all()
    with pytest.raises(UnreadableScan, match=r"a NIfTI volume, received a DICOM file\. Copy the series"):
        read_row(there.rows[0])


def test_a_store_that_refuses_or_does_not_answer_is_one_error(
    atypia, prefix, quick_file, tmp_path, monkeypatch
):
    import s3fs

    paths = [row.path for row in read_collection(prefix)]
    demand_reachable([*paths, Path("s3://archive/gone.png")])
    table = tmp_path / "table.csv"
    table.write_text("path\n" + "\n".join(f"s3://archive/scans/{path.name}" for path in paths))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    s3fs.S3FileSystem.clear_instance_cache()
    try:
        done = atypia("score", quick_file, table, "-o", tmp_path / "out")
        with pytest.raises(
            StoreFailed, match=r"s3://archive/scans/00.png: expected an object store that answers"
        ):
            fetch(paths[0])
    finally:
        s3fs.S3FileSystem.clear_instance_cache()
    assert done.code == StoreFailed.exit_code
    assert "expected an object store that answers and takes our credentials" in done.err
    assert not (tmp_path / "out").exists()


def test_credentials_that_are_refused(prefix, monkeypatch):
    from botocore.exceptions import ClientError

    from atypia import remote

    class Refusing:
        def info(self, _path):
            raise PermissionError("Forbidden")

        def cat_file(self, _path, **_limits):
            answer = {"Error": {"Code": "ExpiredToken", "Message": "The token has expired"}}
            raise PermissionError("The token has expired") from ClientError(answer, "GetObject")

    monkeypatch.setattr(remote, "_store", lambda _: Refusing())
    with pytest.raises(StoreFailed, match=r"received: Forbidden\. Check"):
        demand_reachable([prefix / "a.png", prefix / "b.png"])
    with pytest.raises(StoreFailed, match=r"received: The token has expired\. Check"):
        fetch(prefix / "a.png")


@pytest.mark.usefixtures("prefix")
def test_results_go_there_and_a_job_goes_on_there(inline, judge, rows_of, tmp_path):
    out = Path("s3://archive/out")
    scans = read_collections([Path("s3://archive/manifest.parquet")])
    tally = judge(out, scans)
    assert (tally.numbers["judged"], tally.numbers["unreadable"]) == (21, 2)
    names = [path.relative_to(out).as_posix() for path in listing(out)]
    assert LOCK not in names
    assert [name for name in names if name.startswith("findings")] == [
        f"findings/part-00000{number}.parquet" for number in range(6)
    ]
    from atypia.remote import remove

    remove([out / "_atypia/shard-000003.json"])
    inline.clear()
    assert judge(out, scans).kept == 19
    assert inline == [3]
    for path in listing(out):
        file = tmp_path / path.relative_to(out)
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(fetch(path))
    there = rows_of(tmp_path)
    judge(tmp_path / "local", scans)
    assert there == rows_of(tmp_path / "local")


@pytest.mark.usefixtures("prefix")
def test_two_jobs_to_one_prefix():
    out = Path("s3://archive/two")
    with (
        held_place(out),
        pytest.raises(OutputError, match="expected a prefix that no other job writes to"),
        held_place(out),
    ):
        pass
    assert not listing(out)
    for ago in (61, -86_400):  # as of one that was killed; and of one whose clock was a day ahead
        old = {"token": "x", "who": "elsewhere", "at": time.time() - ago}
        put(out / LOCK, json.dumps(old).encode())
        with held_place(out):
            assert json.loads(fetch(out / LOCK))["token"] != "x"


@pytest.mark.usefixtures("prefix")
def test_a_job_whose_prefix_was_taken_writes_no_more(monkeypatch):
    monkeypatch.setattr(places, "BEAT", 0.05)
    out = Path("s3://archive/taken")
    with held_place(out) as place:
        place.write("a", b"1")
        put(out / LOCK, json.dumps({"token": "x", "who": "elsewhere", "at": time.time()}).encode())
        for _ in range(100):
            time.sleep(0.05)
            if place._lost:
                break
        with pytest.raises(OutputError, match="a job on elsewhere is writing to"):
            place.write("a", b"2")
    assert fetch(out / "a") == b"1"
    assert LOCK in [path.relative_to(out).as_posix() for path in listing(out)], "it is the other's"
