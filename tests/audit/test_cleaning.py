from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from atypia.audit.audit import Audit
from atypia.audit.cleaning import clean
from atypia.audit.clusters import units_of
from atypia.audit.leaks import find_leaks
from atypia.audit.strangers import Stranger
from atypia.reading.collection import Collection, read_collection, write_collection
from atypia.reading.row import Row
from atypia.scalars import SCALARS, Measured


def audit_of(
    rows: list[Row], clusters: list[int], measured: Measured | None = None, **given: object
) -> Audit:
    units = units_of(rows, clusters)
    leaks = find_leaks(rows, clusters, units)
    return Audit(
        "set", tuple(rows), np.array(clusters), True, units, (), leaks, measured, (), None, {}, **given
    )


def test_the_largest_then_the_least_compressed_copy_stays(rows_of):
    values = np.full((4, len(SCALARS)), np.nan)
    for name, column in (("pixel_count", [9, 16, 16, 4]), ("bytes_per_pixel", [3, 1, 2, 3])):
        values[:, list(SCALARS).index(name)] = column
    audit = audit_of(rows_of(label=["normal"] * 4), [0, 0, 0, 1], Measured(tuple(SCALARS), values))
    found = clean(audit)
    assert [row.name for row in found.collection] == ["2.png", "3.png"]
    assert found.copies == 2


def test_conflicts_strangers_and_unreadable_files_are_left_out(audited):
    stranger = Stranger(index=10, kind="CT", reason="looks like CT", score=2.0)
    unusual = Stranger(index=11, kind="unusual for a healthy scan", reason="far from the others", score=0.9)
    audit = replace(audited, strangers=(stranger, unusual))
    kept, dropped = clean(audit), clean(audit, drop_strangers=True)
    assert (kept.copies, kept.conflicts, kept.strangers, kept.unreadable) == (4, 2, 0, 1)
    assert len(kept.collection) == 62 - 4 - 2 - 1
    names = {row.name for row in dropped.collection}
    assert {row.name for row in kept.collection} - names == {audit.rows[10].name}
    assert {"i00.png", "j00.png", "bad.png"}.isdisjoint(names)


def test_a_cleaned_table_leaks_no_more(audited, tmp_path):
    found = clean(audited)
    assert found.note is None
    write_collection(found.collection, tmp_path / "clean.csv")
    rows = read_collection(tmp_path / "clean.csv")
    assert Counter((row.split, row.label) for row in rows)["train", "abnormal"] == 0
    assert {row.split for row in rows} >= {"train", "threshold", "test"}
    assert all(row.path.is_file() for row in rows)
    assert all(row.group for row in rows)


def test_without_labels_there_are_no_splits_and_it_is_said(rows_of):
    found = clean(audit_of(rows_of(label=[None] * 3), [0, 0, 1]))
    assert len(found.collection) == 2
    assert all(row.split is None for row in found.collection)
    assert found.note is not None
    assert found.note.startswith("No splits were assigned: set: expected a label for every scan")


def test_every_plane_is_in_every_split(rows_of):
    planes = ["axial"] * 60 + ["sagittal"] * 40 + ["coronal"] * 3
    rows = rows_of(label=["normal"] * 103, plane=planes)
    found = clean(audit_of(rows, list(range(103))))
    counts = Counter((row.plane, row.split) for row in found.collection)
    for plane, total in (("axial", 60), ("sagittal", 40)):
        for split, share in (("train", 0.7), ("threshold", 0.15), ("test", 0.15)):
            assert abs(counts[plane, split] - share * total) <= 2, (plane, split)
    assert len(found.collection) == 103


@settings(max_examples=40, deadline=None)
@given(
    clusters=st.lists(st.integers(0, 12), min_size=1, max_size=40),
    groups=st.lists(st.sampled_from([None, "a", "b", "c", "d", "e"]), min_size=40, max_size=40),
    labels=st.lists(st.sampled_from(["normal", "normal", "abnormal"]), min_size=40, max_size=40),
    planes=st.lists(st.sampled_from([None, "axial", "coronal"]), min_size=40, max_size=40),
)
def test_no_unit_is_on_two_sides_and_no_cluster_has_two_images(clusters, groups, labels, planes):
    rows = [
        Row(Path(__file__), f"{n}", labels[n], group=groups[n], plane=planes[n]) for n in range(len(clusters))
    ]
    audit = audit_of(rows, clusters)
    found = clean(audit)
    place = {row.name: n for n, row in enumerate(rows)}
    chosen = [place[row.name] for row in found.collection]
    assert len({clusters[n] for n in chosen}) == len(chosen)
    assert found.copies + found.conflicts + len(chosen) == len(rows)
    split_of: dict[int, set[str | None]] = {}
    for n, row in zip(chosen, found.collection, strict=True):
        split_of.setdefault(int(audit.units[n]), set()).add(row.split)
    assert all(len(splits) == 1 for splits in split_of.values())
    learned = [row for row in found.collection if row.split in ("train", "threshold")]
    assert all(row.label == "normal" for row in learned)
    assert Collection(found.collection.rows, "again").has_groups or not chosen
