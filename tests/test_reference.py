"""The reference system on a handful of rendered slices, with random weights, for one epoch."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import h5py
import numpy as np
import pytest

from atypia import reference
from atypia.datasets.split import split_collection
from atypia.encoders.resnet50 import expected_layers
from atypia.errors import BadOption, BadTable, WeightsError
from atypia.networks.recipe import RECIPES
from atypia.preparation import Preparation
from atypia.reading.collection import Collection, read_collection, write_collection
from atypia.reference import Result, Run, reproduce
from atypia.screener import Screener

SIZE = 64
LEFT = {"findings.csv", "metrics.json", "report.html", "model-card.md", "figures"}
LEFT |= {"result.json", "screener.atypia"}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """ResNet50 to the end of conv4, as Keras writes it, with random weights."""
    rng, file = np.random.default_rng(7), tmp_path_factory.mktemp("weights") / "conv4.h5"
    layers = {name: shapes for name, shapes in expected_layers().items() if not name.startswith("conv5")}
    with h5py.File(file, "w") as opened:
        opened.attrs["layer_names"] = np.asarray([name.encode() for name in layers], "S64")
        for name, shapes in layers.items():
            group = opened.create_group(name)
            group.attrs["weight_names"] = np.asarray(
                [f"{name}/{weight}".encode() for weight in shapes], "S64"
            )
            for weight, shape in shapes.items():
                group[f"{name}/{weight}"] = drawn(rng, weight, shape)
    return file


def drawn(rng, weight, shape):
    """Draw weights that keep the activations near one."""
    values = rng.standard_normal(shape, dtype=np.float32)
    values *= np.sqrt(2 / np.prod(shape[:-1])) if weight == "kernel" else 0.1
    return np.abs(values) + 0.5 if weight in ("gamma", "moving_variance") else values


@pytest.fixture(scope="module")
def folders(phantom_table, tmp_path_factory):
    """Class folders as the published set has them."""
    root = tmp_path_factory.mktemp("brain-mri")
    shutil.copytree(phantom_table.parent / "healthy", root / "Healthy")
    shutil.copytree(phantom_table.parent / "abnormal", root / "Tumor")
    return root


@pytest.fixture(scope="module")
def leaking(folders):
    """A fixed split of those folders in which the scans of one patient are on both sides."""
    sizes = {"threshold": 6, "validation": 2, "test": 6, "validation_abnormal": 2, "test_abnormal": 4}
    table = split_collection(read_collection(folders), sizes=sizes)
    rows = tuple(replace(row, group="p" if row.name.endswith(("0.png", "1.png")) else None) for row in table)
    write_collection(Collection(rows, "fixed"), folders / "leaking.csv")
    return folders / "leaking.csv"


@pytest.fixture(scope="module")
def run(folders, leaking, weights, undrawn, tmp_path_factory):
    """The rows of the published network on a split that leaks, and what was told."""
    out = tmp_path_factory.mktemp("reference")
    words = {
        "data": folders,
        "tables": (leaking,),
        "weights": weights,
        "epochs": 1,
        "size": SIZE,
        "shipped": False,
    }
    with undrawn():
        return out, words, reproduce(out=out, command="atypia reproduce reference", **words)


@pytest.mark.slow
def test_every_row_has_its_report(run):
    out, _, told = run
    rows = json.loads((out / "reference.json").read_text())["rows"]
    assert [row["name"] for row in rows] == ["as-published-leaking", "reference-leaking"]
    for row in rows:
        folder = out / row["name"]
        kept = {path.name for path in folder.iterdir()}
        assert kept == LEFT
        assert row["auroc"] == json.loads((folder / "metrics.json").read_text())["image"]["auroc"]
        assert row["epochs"] == 1
        assert str(folder / "report.html") in told


@pytest.mark.slow
def test_the_rows_stand_beside_the_published_figures(run):
    out, _, told = run
    table = (out / "reference.md").read_text()
    assert told.startswith(table.split("\n\n")[0])
    assert "Research use only. Not a medical device." in table
    lines = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line[:1] == "|"
    ]
    assert {len(line) for line in lines} == {9}
    assert lines[2] == ["published", "", "0.895", "0.940", "0.850", "", "80", "", "LEAKS"]
    assert [line[0] for line in lines[3:]] == [f"{kind}-leaking" for kind in ("as-published", "reference")]
    published = json.loads((out / "reference.json").read_text())["published"]
    assert published["epochs"] == 80
    assert [published[name] for name in ("accuracy", "sensitivity", "specificity")] == [0.895, 0.94, 0.85]


@pytest.mark.slow
def test_leaks_are_marked_in_the_table_and_in_each_report(run):
    out, _, _ = run
    rows = json.loads((out / "reference.json").read_text())["rows"]
    assert all(row["leaks"] for row in rows)
    pages = {row["name"]: (out / row["name"] / "report.html").read_text(encoding="utf-8") for row in rows}
    assert all("test scans belong to a group" in page for page in pages.values())
    assert [name for name, page in pages.items() if "drawn anew in every epoch" in page] == [
        "as-published-leaking"
    ]


@pytest.mark.slow
def test_the_tumours_alone_are_flagged_by_the_share_that_scores_high(run, leaking, folders):
    out, _, _ = run
    tumours = read_collection(leaking, root=folders).select(split="tumor_test")
    row = json.loads((out / "reference.json").read_text())["rows"][1]
    screener = Screener.load(out / row["name"] / "screener.atypia")
    flagged = [finding.flagged for finding in screener.score(tumours)]
    assert row["tumour_only_scans"] == len(flagged) > 0
    assert row["tumour_only"] == pytest.approx(np.mean(flagged))


@pytest.mark.slow
def test_finished_rows_are_not_run_again(run, monkeypatch):
    out, words, told = run
    ran = []
    monkeypatch.setattr(reference, "_fitted", lambda run, *_: ran.append(run.name))
    assert reproduce(out=out, **words) == told
    assert ran == []


@pytest.mark.slow
@pytest.mark.parametrize("changed", [{"seed": 1}, {"size": 32}, {"epochs": 2}], ids=str)
def test_a_row_with_other_settings_is_run(run, monkeypatch, changed):
    out, words, _ = run

    def refused(run, *_):
        raise KeyboardInterrupt(run.name)

    monkeypatch.setattr(reference, "_fitted", refused)
    with pytest.raises(KeyboardInterrupt, match="as-published-leaking"):
        reproduce(out=out, **(words | changed))


def test_a_split_is_drawn_with_the_published_shares(folders):
    (table,) = reference._tables(folders, (), 0).values()
    counts = {name: len(table.select(split=name, label="normal")) for name in reference.SIZES}
    assert counts == {"train": 28, "threshold": 4, "validation": 4, "test": 4}
    assert len(table.select(label="abnormal")) == 8
    assert {row.split for row in table.select(label="abnormal")} == {"validation", "test"}


def test_the_reference_is_strict_and_what_ships_is_not(folders):
    tables = reference._tables(folders, (), 0)
    runs = list(reference._runs(tables, 60, 224, as_published=True, shipped=True))
    published, strict, ours = runs
    assert published.reshuffled
    assert published.recipe == replace(strict.recipe, epoch_size=28)
    assert strict.recipe == replace(RECIPES["reference"], encoder="resnet50", epochs=60)
    assert strict.preparation == Preparation(crop=False, aspect="stretch", intensity="range", upright=False)
    assert ours.recipe == replace(RECIPES["autoencoder"], encoder="resnet50")
    assert ours.preparation.crop


@pytest.mark.parametrize(
    ("as_published", "shipped", "names"),
    [
        (False, False, ["reference-a", "reference-b"]),
        (True, False, ["as-published-a", "reference-a", "reference-b"]),
    ],
)
def test_rows_can_be_left_out(folders, as_published, shipped, names):
    (table,) = reference._tables(folders, (), 0).values()
    runs = reference._runs({"a": table, "b": table}, 1, SIZE, as_published=as_published, shipped=shipped)
    assert [run.name for run in runs] == names


def test_a_split_without_groups_on_both_sides_is_no_leak(folders):
    (table,) = reference._tables(folders, (), 0).values()
    (run,) = reference._runs({"a": table}, 1, SIZE, as_published=False, shipped=False)
    assert run.notes == ()
    assert "LEAKS" not in reference._markdown([Result("a", 0.5, 0.5, None, 0.5, epochs=1, leaks=False)])[-40:]


def test_without_tumours_nothing_is_begun(folders, weights, tmp_path):
    with pytest.raises(BadTable, match="expected folders such as Healthy and Tumor, received no normal scan"):
        reproduce(data=folders / "Tumor", out=tmp_path, weights=weights)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("split", ["train", "threshold", "test"])
def test_a_table_that_lacks_a_split_is_refused(folders, leaking, weights, tmp_path, split):
    rows = tuple(row for row in read_collection(leaking, root=folders) if row.split != split)
    write_collection(Collection(rows, "less"), tmp_path / "less.csv", root=folders)
    with pytest.raises(BadTable, match=f"received no normal scan in {split}"):
        reproduce(data=folders, tables=(tmp_path / "less.csv",), out=tmp_path / "out", weights=weights)


def test_tables_of_one_name_are_refused(folders, leaking, weights, tmp_path):
    with pytest.raises(BadOption, match="files of different names"):
        reproduce(data=folders, tables=(leaking, leaking), out=tmp_path, weights=weights)


def test_without_weights_nothing_is_begun(folders, tmp_path, atypia):
    with pytest.raises(WeightsError, match="expected a weights file"):
        reproduce(data=folders, out=tmp_path, weights=tmp_path / "none.h5")
    outcome = atypia(
        "reproduce", "reference", "--data", folders, "-o", tmp_path / "out", "--weights", tmp_path / "none.h5"
    )
    assert outcome.code == 4
    assert "none.h5: expected a weights file" in outcome.err


def test_an_interruption_says_how_it_goes_on(folders, weights, tmp_path, atypia, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(reference, "_fitted", interrupted)
    outcome = atypia("reproduce", "reference", "--data", folders, "-o", tmp_path, "--weights", weights)
    assert outcome.code == 130
    assert outcome.err.splitlines() == [
        "1 of 3: as-published-drawn-split",
        "atypia: interrupted. Give the same command again: it goes on after the last finished epoch.",
    ]


def test_a_run_names_what_a_reader_must_not_miss(leaking, folders):
    table = read_collection(leaking, root=folders)
    (run,) = reference._runs({"a": table}, 1, SIZE, as_published=False, shipped=False)
    assert isinstance(run, Run)
    assert [note.split(":")[0] for note in run.notes] == ["LEAKS"]
    assert len(replace(run, reshuffled=True).notes) == 2
