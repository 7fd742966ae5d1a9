"""`phantom`, `split` and `datasets`."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from PIL import Image

from atypia.datasets import download
from atypia.datasets.catalogue import DATASETS
from atypia.errors import DownloadFailed


def splits_of(table):
    with table.open(encoding="utf-8", newline="") as file:
        return {row["path"]: (row["label"], row["split"]) for row in csv.DictReader(file)}


def test_phantom_writes_a_set_that_fit_takes(atypia, tmp_path):
    outcome = atypia("phantom", "-o", tmp_path / "set", "--healthy", 3, "--abnormal", 1, "--sequence", "T2")
    table = tmp_path / "set" / "table.csv"
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines() == [
        f"4 slices, listed in {table}",
        "Synthetic data: figures say that the machinery works, not how good it is.",
        f"next: atypia fit {table} -o brain.atypia",
    ]
    assert len(splits_of(table)) == 4


def test_phantom_does_not_mix_with_another_set(atypia, tmp_path):
    words = ("phantom", "-o", tmp_path, "--abnormal", 0, "--sequence", "T2")
    assert atypia(*words, "--healthy", 2).code == 0
    assert atypia(*words, "--healthy", 2).code == 0
    outcome = atypia(*words, "--healthy", 1)
    assert outcome.code == 2
    assert f"{tmp_path / 'healthy'}: expected an empty folder" in outcome.err


def test_phantom_on_a_file_is_code_6(atypia, tmp_path):
    (tmp_path / "taken").write_text("in the way")
    assert atypia("phantom", "-o", tmp_path / "taken").code == 6


def test_split_tells_what_it_gave(atypia, phantom_table, tmp_path):
    table = tmp_path / "splits.csv"
    outcome = atypia(
        "split", phantom_table.parent, "-o", table, "--train", 20, "--threshold", 0.25, "--test", 6
    )
    assert outcome.code == 0
    assert outcome.err.startswith(
        "No group is known of 48 of 48 scans: no near-copies, and copies stay together"
    )
    assert [line.split() for line in outcome.out.splitlines()[:4]] == [
        ["train", "24", "normal", "0", "abnormal"],
        ["threshold", "10", "normal", "0", "abnormal"],
        ["test", "6", "normal", "6", "abnormal"],
        ["tumor_test", "0", "normal", "2", "abnormal"],
    ]
    assert f"saved {table}" in outcome.out
    splits = splits_of(table)
    assert len(splits) == 48
    assert ("abnormal", "train") not in splits.values()


def test_split_keeps_near_copies_together_unless_told_not_to(atypia, phantom_table, tmp_path):
    folder = tmp_path / "scans" / "healthy"
    folder.mkdir(parents=True)
    for number in range(8):
        picture = Image.open(phantom_table.parent / "healthy" / f"{number:04}.png")
        picture.save(folder / f"{number}.png")
        picture.transpose(Image.Transpose.ROTATE_90).save(folder / f"{number}-turned.jpg", quality=80)
    words = ("split", folder.parent, "-o", tmp_path / "t.csv", "--train", 0.5, "--test", 0.25)
    outcome = atypia(*words)
    assert "8 clusters of near-copies with 16 scans" in outcome.err
    splits = {Path(path).name: split for path, (_, split) in splits_of(tmp_path / "t.csv").items()}
    assert all(splits[f"{number}.png"] == splits[f"{number}-turned.jpg"] for number in range(8))
    assert set(splits.values()) == {"train", "threshold", "test"}
    for plain in ("--no-cluster", "--by-image"):
        outcome = atypia(*words, plain)
        assert outcome.err.splitlines() == [
            "No groups are known: slices of one patient, or copies of one slice, may stand in two splits."
        ]


def test_split_keeps_groups_and_is_quiet_about_them(atypia, phantom_table, tmp_path):
    words = ("split", phantom_table, "-o")
    assert atypia(*words, tmp_path / "a.csv", "--seed", 5).err == ""
    atypia(*words, tmp_path / "b.parquet", "--seed", 5)
    atypia("split", tmp_path / "b.parquet", "-o", tmp_path / "c.csv", "--seed", 5)
    assert splits_of(tmp_path / "a.csv") == splits_of(tmp_path / "c.csv")


@pytest.mark.parametrize("size", ["1.5", "-1", "nan", "inf", "many"])
def test_a_size_is_a_share_or_a_number(atypia, phantom_table, tmp_path, size):
    outcome = atypia("split", phantom_table, "-o", tmp_path / "t.csv", f"--train={size}")
    assert outcome.code == 2
    assert "Invalid value for '--train'" in outcome.err


def test_split_tells_of_a_table_it_cannot_write(atypia, phantom_table, tmp_path):
    assert atypia("split", phantom_table, "-o", tmp_path / "t.txt").code == 2
    (tmp_path / "taken").write_text("in the way")
    assert atypia("split", phantom_table, "-o", tmp_path / "taken" / "t.csv").code == 6


def test_datasets_lists_all_and_tells_of_one(atypia):
    every = atypia("datasets")
    assert every.code == 0
    assert all(name in every.out for name in DATASETS)
    one = atypia("datasets", "kaggle-brain-mri")
    assert one.code == 0
    assert "Known faults:" in one.out
    assert "Licence:" in one.out


def test_an_unknown_set_is_code_2(atypia):
    outcome = atypia("datasets", "kaggle-brain-mir")
    assert outcome.code == 2
    assert "Did you mean 'kaggle-brain-mri'?" in outcome.err
    assert atypia("datasets", "get", "ixi", "-o", "x").code == 2


def test_get_says_what_to_type_next(atypia, phantom_table, tmp_path, monkeypatch):
    from atypia.reading.collection import read_collection

    monkeypatch.setattr(download, "get_dataset", lambda *_: read_collection(phantom_table))
    outcome = atypia("datasets", "get", "kaggle-brain-mri", "-o", tmp_path)
    assert outcome.code == 0
    assert f"next: atypia split {tmp_path / 'table.csv'} -o {tmp_path / 'splits.csv'}" in outcome.out


def refusing(error):
    def get_dataset(*_):
        raise error

    return get_dataset


def test_a_download_that_fails_is_code_4(atypia, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "get_dataset", refusing(DownloadFailed("no network")))
    outcome = atypia("datasets", "get", "kaggle-brain-mri", "-o", tmp_path)
    assert (outcome.code, outcome.err) == (4, "atypia: no network\n")


def test_a_download_that_is_interrupted_says_how_it_goes_on(atypia, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "get_dataset", refusing(KeyboardInterrupt()))
    outcome = atypia("datasets", "get", "kaggle-brain-mri", "-o", tmp_path)
    told = "atypia: interrupted. Give the same command again: it goes on where it stopped.\n"
    assert (outcome.code, outcome.err) == (130, told)
