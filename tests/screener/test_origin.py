from __future__ import annotations

from pathlib import Path

import pytest

from atypia.reading.row import Row
from atypia.screener.origin import are_apart, volume_of


def slices(path: str, group: str | None, count: int = 4) -> list[Row]:
    return [Row(Path(path), f"{path}:{n}", group=group, plane="axial", slice=n) for n in range(count)]


@pytest.mark.parametrize(
    ("learned", "aside", "apart"),
    [
        (slices("a.nii", "a"), slices("b.nii", "b"), True),
        (slices("a.nii", "a"), slices("b.nii", "a"), False),
        (slices("a.nii", None), slices("a.nii", None), False),
        (slices("a.nii", "copies-1"), slices("a.nii", "copies-2"), False),
        (slices("a.nii", "a"), [*slices("a.nii", "a", 1), *slices("b.nii", "b", 3)], True),
        ([Row(Path("a.png"), "a")], [Row(Path("b.png"), "b")], True),
        ([], [], True),
    ],
)
def test_sides_are_apart_where_patients_or_files_are(learned, aside, apart):
    assert are_apart(learned, aside) is apart


def test_the_volume_taken_of_several_is_the_commonest():
    rows = [Row(Path("a.nii"), str(n), volume=volume) for n, volume in enumerate(("1", "mean", "mean", None))]
    assert volume_of(rows) == "mean"
    assert volume_of(slices("a.nii", "a")) is None
    assert volume_of([Row(Path("e.dcm"), "e", volume="1")]) is None
