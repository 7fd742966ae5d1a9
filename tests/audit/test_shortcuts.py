from __future__ import annotations

import numpy as np
import pytest

from atypia.audit.shortcut import areas, better_way
from atypia.audit.shortcuts import compare_classes, compare_splits
from atypia.audit.trees import drawn_units, out_of_fold
from atypia.evaluation.metrics import auroc
from atypia.scalars import SCALARS, Measured


@pytest.fixture
def measured(rng):
    """Scalars of 80 scans, all noise."""
    return Measured(tuple(SCALARS), rng.normal(size=(80, len(SCALARS))).round(3))


@pytest.fixture
def no_trees(monkeypatch):
    """Leave the trees out, which take the time."""
    monkeypatch.setattr("atypia.audit.shortcuts.of_models", lambda *_: ())


LABELS = ["normal"] * 40 + ["abnormal"] * 40


def test_classes_from_one_source_are_not_told_apart(measured, rows_of):
    found = compare_classes(rows_of(label=LABELS), measured, np.arange(80))
    assert found.refused is None
    assert found.exact == ()
    assert max(shortcut.sure for shortcut in (*found.scalars, *found.models)) < 0.7
    assert [shortcut.auroc for shortcut in found.scalars] == sorted(
        (shortcut.auroc for shortcut in found.scalars), reverse=True
    )
    for shortcut in found.scalars:
        assert shortcut.interval[0] <= shortcut.auroc <= shortcut.interval[1]
        assert shortcut.auroc >= 0.5


def test_an_exact_size_is_found_by_tree_and_by_name(measured, rows_of):
    width, height = (measured.names.index(name) for name in ("width", "height"))
    measured.values[:, [width, height]] = [[300 + 20 * (n % 3), 512] for n in range(80)]
    measured.values[40:76, [width, height]] = 320, 320  # among widths of both sides: no threshold finds it
    found = compare_classes(rows_of(label=LABELS), measured, np.arange(80))
    best = found.best(blind=True)
    assert best is not None
    assert best.sure > 0.85
    assert found.exact[0].value == "320x320 pixels"
    assert (found.exact[0].first, found.exact[0].second) == (0.0, 0.9)


@pytest.mark.usefixtures("no_trees")
def test_a_kind_of_file_is_a_shortcut_whatever_its_number(measured, rows_of):
    place = measured.names.index("file_suffix")
    measured.values[:, place] = 2
    measured.values[40:, place] = [1, 3] * 20  # .jpeg and .png on either side of .jpg
    found = compare_classes(rows_of(label=LABELS), measured, np.arange(80))
    suffix = next(shortcut for shortcut in found.scalars if shortcut.name == "file_suffix")
    assert suffix.auroc == 1.0
    assert suffix.higher is None
    assert 0.9 < suffix.interval[0] < 1


@pytest.mark.usefixtures("no_trees")
def test_the_plane_of_the_table_is_a_shortcut(measured, rows_of):
    rows = rows_of(label=LABELS, plane=["axial"] * 40 + ["sagittal"] * 30 + [None] * 10)
    found = compare_classes(rows, measured, np.arange(80))
    plane = next(shortcut for shortcut in found.scalars if shortcut.name == "plane")
    assert (plane.auroc, plane.group, plane.first, plane.second) == (1.0, "table", 40, 30)


@pytest.mark.usefixtures("no_trees")
def test_a_number_that_is_the_same_or_missing_is_left_out(measured, rows_of):
    same, missing, one_side = (measured.names.index(name) for name in ("aspect", "jpeg_quality", "glyphs"))
    measured.values[:, same] = 1
    measured.values[:, missing] = np.nan
    measured.values[:40, one_side] = np.nan
    found = compare_classes(rows_of(label=LABELS), measured, np.arange(80))
    assert {"aspect", "jpeg_quality", "glyphs"}.isdisjoint(shortcut.name for shortcut in found.scalars)


@pytest.mark.parametrize(
    ("labels", "units"),
    [
        (["normal"] * 80, np.arange(80)),
        ([None] * 80, np.arange(80)),
        (["normal"] * 72 + ["abnormal"] * 8, np.arange(80)),
        (LABELS, np.r_[np.arange(40), np.full(40, 40)]),  # one patient
    ],
)
def test_too_few_of_a_side_are_refused_with_their_number(measured, rows_of, labels, units):
    found = compare_classes(rows_of(label=labels), measured, units)
    assert found.refused is not None
    assert "at least 10 independent scans" in found.refused
    assert (found.scalars, found.models, found.best(blind=True)) == ((), (), None)


@pytest.mark.usefixtures("no_trees")
def test_splits_are_compared_by_their_normal_scans(measured, rows_of):
    rows = rows_of(label=["normal"] * 60 + ["abnormal"] * 20, split=["train"] * 40 + ["test"] * 40)
    measured.values[40:60, 0] += 20
    found = compare_splits(rows, measured, np.arange(80))
    assert (found.scalars[0].name, found.scalars[0].second) == (measured.names[0], 20)
    assert found.scalars[0].auroc == 1.0


def test_trees_cannot_use_what_they_know_of_a_group(rng):
    units = np.repeat(np.arange(30), 8)
    truth = rng.permutation(np.arange(30) % 2 == 0)[units]
    mark = rng.normal(size=30)[units][:, None] + rng.normal(size=(240, 3)) * 0.01  # betrays the group alone
    scores = out_of_fold(mark, truth, units, seed=0)
    assert np.isfinite(scores).all()
    assert auroc(scores, truth) < 0.75
    telling = np.c_[mark, truth + rng.normal(size=240) * 0.1, np.full(240, np.nan)]
    assert auroc(out_of_fold(telling, truth, units, seed=0), truth) > 0.98


def test_the_same_seed_gives_the_same_trees(rng):
    features, truth = rng.normal(size=(60, 4)), np.arange(60) % 2 == 0
    first, second = (out_of_fold(features, truth, np.arange(60), seed=3) for _ in range(2))
    assert np.array_equal(first, second)


def test_many_scans_are_drawn_by_whole_units():
    units = np.repeat(np.arange(50), 4)
    chosen = drawn_units(units, 60, seed=1)
    assert 40 <= len(chosen) <= 60
    assert (np.bincount(units[chosen])[np.unique(units[chosen])] == 4).all()
    assert drawn_units(units, 200, seed=1).tolist() == list(range(200))


def test_intervals_are_wider_where_scans_are_copies(rng):
    truth = np.arange(200) % 2 == 0
    scores = {"x": np.repeat(rng.normal(size=20), 10) + truth}
    truth = np.repeat(np.arange(20) % 2 == 0, 10)
    ends = [areas(scores, truth, units)["x"][1] for units in (np.arange(200), np.repeat(np.arange(20), 10))]
    assert ends[1][1] - ends[1][0] > 1.5 * (ends[0][1] - ends[0][0])


def test_a_figure_below_a_half_is_turned_round():
    assert better_way(0.25, (0.2, 0.3)) == (0.75, (0.7, 0.8), False)
    assert better_way(0.75, (0.7, 0.8)) == (0.75, (0.7, 0.8), True)
