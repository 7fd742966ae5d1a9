"""No group on two sides, nothing abnormal to learn from, every scan somewhere, whatever the order."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from atypia.datasets.split import calibration_split, split_collection
from atypia.errors import BadOption, NotEnoughScans
from atypia.reading.collection import Collection, Row, read_collection

SPLITS = {"train", "threshold", "validation", "test", "tumor_test"}


def collection(rows: Iterable[tuple[str | None, str | None]]) -> Collection:
    """Build a collection from (label, group) pairs."""
    listed = (
        Row(Path(f"{n}.png"), f"{n:04}.png", label=label, group=group)
        for n, (label, group) in enumerate(rows)
    )
    return Collection(tuple(listed), "somewhere")


def tally(result: Iterable[Row]) -> Counter[tuple[str | None, str | None]]:
    return Counter((row.split, row.label) for row in result)


def sides(result: Iterable[Row]) -> dict[str, set[str | None]]:
    found: dict[str, set[str | None]] = defaultdict(set)
    for row in result:
        if row.group is not None:
            found[row.group].add(row.split)
    return found


def plain(normal: int, abnormal: int) -> Collection:
    return collection([("normal", None)] * normal + [("abnormal", None)] * abnormal)


def test_counts_are_met_exactly_without_groups() -> None:
    sizes = {"train": 1400, "threshold": 200, "validation": 200, "test": 200}
    assert tally(split_collection(plain(2000, 2000), sizes=sizes)) == {
        ("train", "normal"): 1400,
        ("threshold", "normal"): 200,
        ("validation", "normal"): 200,
        ("validation", "abnormal"): 200,
        ("test", "normal"): 200,
        ("test", "abnormal"): 200,
        ("tumor_test", "abnormal"): 1600,
    }


def test_fractions_and_what_no_size_claims() -> None:
    found = tally(
        split_collection(plain(50, 30), sizes={"threshold": 0.2, "test": 0.3, "test_abnormal": 0.5})
    )
    assert found == {
        ("train", "normal"): 25,
        ("threshold", "normal"): 10,
        ("test", "normal"): 15,
        ("test", "abnormal"): 15,
        ("tumor_test", "abnormal"): 15,
    }


def test_too_few_abnormal_scans_all_go_to_the_test() -> None:
    found = tally(split_collection(plain(40, 3), sizes={"test": 10, "threshold": 5}))
    assert (found["test", "abnormal"], found["tumor_test", "abnormal"]) == (3, 0)


def test_groups_of_many_sizes_come_near_the_sizes() -> None:
    rng = random.Random(1)
    rows = [("normal", f"p{n}") for n in range(150) for _ in range(rng.randint(1, 12))]
    rows += [("abnormal", f"q{n}") for n in range(80) for _ in range(rng.randint(1, 12))]
    whole = collection(rows)
    result = split_collection(whole, sizes={"train": 0.6, "threshold": 0.2, "test": 0.2})
    normal, found = sum(label == "normal" for label, _ in rows), tally(result)
    for name, share in (("train", 0.6), ("threshold", 0.2), ("test", 0.2)):
        assert found[name, "normal"] == pytest.approx(share * normal, abs=6)
    assert found["test", "abnormal"] == pytest.approx(found["test", "normal"], abs=2)
    assert all(len(names) == 1 for names in sides(result).values())


def test_a_patient_with_a_tumour_is_never_learned_from() -> None:
    rows = [("normal", f"p{n % 10}") for n in range(60)] + [("abnormal", f"p{n % 4}") for n in range(20)]
    result = split_collection(collection(rows), sizes={"threshold": 6, "test": 24})
    assert tally(result) == {
        ("train", "normal"): 30,
        ("threshold", "normal"): 6,
        ("test", "normal"): 24,
        ("test", "abnormal"): 20,
    }


def test_without_groups_a_group_may_be_on_both_sides() -> None:
    rows = [("normal", "same")] * 20 + [("abnormal", "same")] * 10
    with pytest.raises(BadOption, match="at most 0 normal scans in train and threshold"):
        split_collection(collection(rows), sizes={"threshold": 5, "test": 5})
    found = tally(split_collection(collection(rows), sizes={"threshold": 5, "test": 5}, by_group=False))
    assert (found["train", "normal"], found["threshold", "normal"], found["test", "abnormal"]) == (10, 5, 5)


def test_large_abnormal_groups_still_reach_the_test() -> None:
    rows = [("normal", f"p{n}") for n in range(20)] + [("abnormal", f"q{n // 30}") for n in range(70)]
    found = tally(split_collection(collection(rows), sizes={"threshold": 5, "test": 5}))
    assert found["test", "abnormal"] == 10
    assert found["tumor_test", "abnormal"] == 60


def test_seeds_differ_and_repeat() -> None:
    whole = plain(60, 20)
    sizes = {"threshold": 0.2, "test": 0.2}
    one, again, other = (split_collection(whole, sizes=sizes, seed=seed).rows for seed in (0, 0, 1))
    assert one == again
    assert one != other


GROUPS = st.none() | st.sampled_from([f"g{n}" for n in range(12)])
ROWS = st.lists(
    st.tuples(st.sampled_from(["normal", "normal", "abnormal"]), GROUPS), min_size=10, max_size=60
)


@settings(max_examples=150, deadline=None)
@given(
    rows=ROWS,
    threshold=st.sampled_from([0.1, 0.3, 3]),
    test=st.sampled_from([0.2, 5]),
    validation=st.sampled_from([0, 0.2]),
    seed=st.integers(0, 9),
)
def test_what_every_split_holds(
    rows: list[tuple[str, str]], threshold: float, test: float, validation: float, seed: int
) -> None:
    whole = collection(rows)
    sizes = {"threshold": threshold, "test": test, "validation": validation}
    try:
        result = split_collection(whole, sizes=sizes, seed=seed)
    except BadOption:
        assume(False)
    assert [row.name for row in result] == [row.name for row in whole]
    assert {row.split for row in result} <= SPLITS
    assert all(len(names) == 1 for names in sides(result).values())
    learned = [row for row in result if row.split in ("train", "threshold")]
    assert {row.label for row in learned} <= {"normal"}
    assert {row.label for row in result if row.split == "tumor_test"} <= {"abnormal"}
    shuffled = list(whole.rows)
    random.Random(seed).shuffle(shuffled)
    again = split_collection(Collection(tuple(shuffled), "x"), sizes=sizes, seed=seed)
    assert {row.name: row.split for row in again} == {row.name: row.split for row in result}


BAD: list[tuple[dict[str, Any], str]] = [
    ({"train": 30, "test": 11}, r"at most 40 normal scans, received 41 \(train=30"),
    ({"train": 0.8, "test": 0.3}, "at most 40 normal scans, received 44"),
    ({"test": -1}, "received test=-1"),
    ({"test": 1.5}, "received test=1.5"),
    ({"test": float("nan")}, "received test=nan"),
    ({"test": True}, "received test=True"),
    ({"tset": 5}, r"of train, threshold, .*; received tset=5"),
    ({"test": 5, "test_abnormal": 21}, "at most 20 abnormal scans, received 21"),
]


@pytest.mark.parametrize(("sizes", "message"), BAD, ids=str)
def test_sizes_that_cannot_be_met(sizes: dict[str, Any], message: str) -> None:
    with pytest.raises(BadOption, match=f"sizes: expected .*{message}"):
        split_collection(plain(40, 20), sizes=sizes)


def test_too_few_groups_for_the_splits() -> None:
    rows = [("normal", f"p{n % 2}") for n in range(20)]
    with pytest.raises(BadOption, match=r"expected scans for .*, received none: there are too few groups"):
        split_collection(collection(rows), sizes={"threshold": 5, "test": 5})


def test_labels_are_needed() -> None:
    with pytest.raises(
        BadOption, match=r"somewhere: expected a label for every scan, received 1 of 2 without"
    ):
        split_collection(collection([("normal", None), (None, None)]), sizes={"test": 1})


@settings(max_examples=60, deadline=None)
@given(
    groups=st.lists(GROUPS, min_size=2, max_size=60), fraction=st.floats(0.05, 0.6), seed=st.integers(0, 9)
)
def test_a_calibration_split_shares_no_group(groups: list[str | None], fraction: float, seed: int) -> None:
    whole = collection([(None, group) for group in groups])
    assume(len({row.group or row.name for row in whole}) > 1)
    train, threshold = calibration_split(whole, fraction, seed)
    assert len(train) > 0
    assert len(threshold) > 0
    assert {row.name for row in train} | {row.name for row in threshold} == {row.name for row in whole}
    assert {row.split for row in train} == {"train"}
    assert {row.split for row in threshold} == {"threshold"}
    assert not {row.group for row in train if row.group} & {row.group for row in threshold if row.group}


def test_a_calibration_split_without_groups_is_exact() -> None:
    train, threshold = calibration_split(plain(50, 0), 0.3)
    assert (len(train), len(threshold)) == (35, 15)


def test_two_large_groups_calibrate() -> None:
    train, threshold = calibration_split(collection([("normal", f"p{n // 10}") for n in range(20)]))
    assert (len(train), len(threshold)) == (10, 10)


def test_what_cannot_calibrate() -> None:
    with pytest.raises(BadOption, match="only healthy scans"):
        calibration_split(plain(5, 1))
    with pytest.raises(BadOption, match="fraction: expected a number between 0 and 1, received 1"):
        calibration_split(plain(5, 0), 1)
    with pytest.raises(NotEnoughScans, match=r"at least two groups.*received 9 scans in 1 group"):
        calibration_split(collection([("normal", "p")] * 9))


@pytest.mark.real_data
def test_a_real_table_splits_by_group(real_data: Path) -> None:
    table = real_data.parent / "benchmarks" / "kaggle-leak-free.csv"
    if not table.is_file():
        pytest.skip(f"no table at {table}")
    result = split_collection(read_collection(table, root=real_data), sizes={"threshold": 0.15, "test": 0.25})
    found = tally(result)
    assert found["test", "normal"] == found["test", "abnormal"] == 206
    assert all(len(names) == 1 for names in sides(result).values())
