from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image

from atypia.audit import Severity, audit_collection
from atypia.audit.judging import judge
from atypia.audit.words import percent, plain_name
from atypia.errors import BadOption
from atypia.reading.collection import Collection, read_collection
from atypia.reading.row import Row


def test_planted_copies_are_clusters(flawed, audited):
    place = {row.name: n for n, row in enumerate(audited.rows)}
    for copy, first in flawed.copies.items():
        assert audited.clusters[place[copy]] == audited.clusters[place[first]], copy
    assert audited.clusters[place["bad.png"]] == -1
    assert set(audited.errors) == {place["bad.png"]}
    assert (audited.readable, audited.distinct, len(audited.biggest)) == (61, 56, 5)


def test_planted_leaks_and_conflicts_are_told(audited):
    test = next(touched for touched in audited.leaks.touched if touched.split == "test")
    assert (test.by_copies, test.by_group) == (5, 0)
    assert [sorted(audited.rows[n].name for n in places) for places in audited.leaks.conflicts] == [
        ["i00.png", "j00.png"]
    ]


def test_classes_by_source_are_told(audited):
    best = audited.comparisons[0].best(blind=True)
    assert best is not None
    assert best.sure > 0.9
    exact = audited.comparisons[0].exact[0]
    assert (exact.value, exact.first, exact.second) == ("96x96 pixels", 40 / 41, 0.0)


def test_the_gravest_verdict_comes_first(audited):
    verdicts = judge(audited)
    ranks = [verdict.severity.rank for verdict in verdicts]
    assert ranks == sorted(ranks)
    grave = [verdict.title for verdict in verdicts if verdict.severity is Severity.INVALID]
    assert grave[0] == "16 % of the split test leaks, 33 % of its normal scans."
    assert any(title.startswith("2 scans in 1 cluster of copies carry both labels") for title in grave)
    assert any("without looking at the brain" in title for title in grave)
    assert any(verdict.title == "1 file of 62 could not be read." for verdict in verdicts)


def test_parts_are_skipped_and_it_is_said(flawed):
    found = audit_collection(flawed.collection, skip=["copies", "shortcuts", "strangers"])
    assert (found.measured, found.comparisons, found.strangers) == (None, (), None)
    assert not found.clusters_known
    titles = [verdict.title for verdict in judge(found)]
    assert "Whether the splits leak could not be looked at." in titles
    assert [title for title in titles if title.startswith("Not looked at, as asked")] == [
        f"Not looked at, as asked: {word}." for word in ("copies", "shortcuts", "strangers")
    ]
    assert math.isclose(found.leaks.random, 0)


def test_another_word_to_skip_is_refused(flawed):
    with pytest.raises(BadOption, match="expected some of copies, shortcuts, strangers, received 'taste'"):
        audit_collection(flawed.collection, skip=["taste"])


def test_a_sound_set_gets_no_grave_verdict(tmp_path, people):
    heads = people(24, 96, seed=11)
    rows = []
    for n, pixels in enumerate(heads):
        Image.fromarray((pixels * 255).astype(np.uint8)).save(tmp_path / f"{n}.png")
        label, split = ("normal", "train") if n < 12 else ("abnormal", "test")
        rows.append(Row(tmp_path / f"{n}.png", f"{n}.png", label, split, group=f"patient {n}"))
    verdicts = judge(audit_collection(Collection(tuple(rows), "sound"), skip=["strangers"]))
    assert Severity.INVALID not in {verdict.severity for verdict in verdicts}
    good = {verdict.title for verdict in verdicts if verdict.severity is Severity.GOOD}
    assert {
        "No copy and no group stands in two splits that must differ.",
        "No image is a copy of another.",
    } <= good


@pytest.mark.parametrize("kind", ["unreadable", "blank", "one"])
def test_sets_without_anything_to_measure_are_audited(tmp_path, kind):
    for n in range(1 if kind == "one" else 4):
        if kind == "unreadable":
            (tmp_path / f"{n}.png").write_bytes(b"no")
        else:
            Image.fromarray(np.full((40, 40), 50 * n, np.uint8)).save(tmp_path / f"{n}.png")
    found = audit_collection(read_collection(tmp_path))
    notes = [verdict.title for verdict in judge(found)]
    assert any(note.startswith("The set has no labels") for note in notes)
    assert any("too few to say much" in note for note in notes)
    assert found.comparisons[0].refused is not None
    assert len(found.errors) == (4 if kind == "unreadable" else 0)


def test_shares_are_never_rounded_to_all_or_none():
    assert (percent(0.0001), percent(0.9999), percent(0.0995)) == ("< 0.1 %", "> 99 %", "10 %")
    assert plain_name("head_p05") == "head p5"
