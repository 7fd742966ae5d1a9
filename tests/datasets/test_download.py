from __future__ import annotations

import hashlib
import re
import shutil
import zipfile

import pytest

from atypia.datasets import archive
from atypia.datasets.download import get_dataset
from atypia.errors import BadArchive, BadOption, BadTable, DownloadFailed, OutputError
from atypia.reading.collection import read_collection
from atypia.reading.picture import read_picture

NAME = "kaggle-brain-mri"


def get(out):
    return get_dataset(NAME, out, least_share=0)


def files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_fetches_checks_and_tables(kaggle, tmp_path):
    out = tmp_path / "out"
    collection = get(out)
    assert files(out) == {f"images/{name}" for name in kaggle.names} | {
        "table.csv",
        "table-ct.csv",
        "SOURCE.txt",
    }
    assert [(row.label, row.kind) for row in collection] == [
        ("normal", "healthy"),
        ("normal", "healthy"),
        ("abnormal", "glioma"),
        ("abnormal", "meningioma"),
        ("abnormal", "tumour"),
    ]
    assert read_picture(collection.rows[0].path).pixels.shape == (24, 20)
    ct = read_collection(out / "table-ct.csv")
    assert [(row.label, row.kind) for row in ct] == [("normal", "healthy"), ("abnormal", "tumour")]


def test_note_says_where_from_and_what_is_wrong(kaggle, tmp_path):
    get(tmp_path / "out")
    note = (tmp_path / "out" / "SOURCE.txt").read_text(encoding="utf-8")
    assert f"Archive sha256: {hashlib.sha256(kaggle.archive).hexdigest()}\n" in note
    assert "Version: 7\n" in note
    assert "Licence: CC0 or CC BY-NC-SA 4.0: sources disagree\n" in note
    assert "only 341 distinct ones" in note
    assert re.search(r"Fetched: 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00\n", note)


def test_a_complete_folder_is_not_fetched_again(kaggle, tmp_path):
    first = get(tmp_path / "out")
    kaggle.asked.clear()
    assert get(tmp_path / "out") == first
    assert kaggle.asked == []


@pytest.mark.usefixtures("kaggle")
def test_a_folder_changed_since_is_told(tmp_path):
    first = get(tmp_path / "out")
    first.rows[0].path.unlink()
    with pytest.raises(BadTable, match="the folder was changed"):
        get(tmp_path / "out")


def test_goes_on_after_a_kill_at_any_point(kaggle, tmp_path):
    out = tmp_path / "out"
    get(out)
    whole = files(out)
    (out / ".download").mkdir()
    (out / "SOURCE.txt").rename(out / ".download" / "version-7.zip")
    (out / ".download" / "version-7.zip").write_bytes(kaggle.archive)
    assert len(get(out)) == 5
    assert files(out) == whole


@pytest.mark.usefixtures("kaggle")
def test_leaves_a_folder_with_other_things_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("keep me")
    with pytest.raises(OutputError, match="new or empty folder"):
        get(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "keep me"


@pytest.mark.parametrize("depth", ["", "a/b/", "Brain Tumor CT and MRI/v2/"])
def test_layout_may_lie_deeper(kaggle, tmp_path, depth):
    kaggle.publish(depth + name.removeprefix("Dataset/") for name in kaggle.names)
    assert len(get(tmp_path / "out")) == 5
    assert len(read_collection(tmp_path / "out" / "table-ct.csv")) == 2


@pytest.mark.parametrize("extra", ["Dataset/other/1.jpg", "Dataset/Brain Tumor MRI images/1.jpg", "1.jpg"])
def test_another_layout_is_refused(kaggle, tmp_path, extra):
    kaggle.publish([*kaggle.names, extra])
    with pytest.raises(BadTable, match="layout of the set has changed"):
        get(tmp_path / "out")
    assert not (tmp_path / "out" / "SOURCE.txt").exists()


@pytest.mark.usefixtures("kaggle")
def test_a_set_much_smaller_than_published_is_refused(tmp_path):
    with pytest.raises(BadTable, match="expected about 2000 normal MRI images, received 2"):
        get_dataset(NAME, tmp_path / "out")


def test_an_archive_cut_short_is_removed_and_fetched_anew(kaggle, tmp_path):
    kaggle.cut_at, kaggle.length = 900, False
    with pytest.raises(BadArchive, match=r"unfinished.*run the same command again"):
        get(tmp_path / "out")
    kaggle.cut_at = None
    assert len(get(tmp_path / "out")) == 5


def test_a_bomb_is_refused_before_it_is_unpacked(kaggle, tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_BYTES", 1000)
    with pytest.raises(BadArchive, match="zip bomb"):
        get(tmp_path / "out")
    assert files(tmp_path / "out") == set()
    assert kaggle.asked[-1] == "from 0"


def test_a_path_that_leads_out_is_refused(kaggle, tmp_path):
    kaggle.publish([*kaggle.names, "../../../escaped.jpg"])
    with pytest.raises(BadArchive, match="leads out of the folder"):
        get(tmp_path / "out")
    assert not list(tmp_path.rglob("escaped.jpg"))


def test_failures_of_the_download_pass_through(kaggle, tmp_path):
    kaggle.status = 403
    with pytest.raises(DownloadFailed, match="accept the terms"):
        get(tmp_path / "out")
    assert not (tmp_path / "out").exists()
    kaggle.status = 200
    assert len(get(tmp_path / "out")) == 5


def test_a_full_disk_is_told_and_the_archive_kept(kaggle, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(OutputError, match="No space left on device"):
        get(tmp_path / "out")
    kept = tmp_path / "out" / ".download" / "version-7.zip"
    assert zipfile.is_zipfile(kept)
    assert kept.stat().st_size == len(kaggle.archive)


def test_sets_that_cannot_be_fetched_say_how_to_get_them(tmp_path):
    with pytest.raises(BadOption, match="download the tar files from its page"):
        get_dataset("ixi", tmp_path)
