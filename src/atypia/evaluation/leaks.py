"""Whether what is tested on was learned from: then a test is one of memory."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator

from atypia.errors import BadTable
from atypia.reading.collection import Collection
from atypia.reading.row import HEALTHY_SPLITS as LEARNED

WORD = "LEAKS"
TESTED = ("test", "tumor_test")


def leaks_of(table: Collection, split: str) -> Iterator[str]:
    """Yield, in words, how figures on one split of a table would leak."""
    if split in LEARNED:
        yield (
            f"{WORD}: the rows of the split {split} are those that a fit on this table sees. The figures say "
            "nothing of new scans."
        )
    elif note := leak_note(table, (split,)):
        yield note


def leak_note(table: Collection, tested: tuple[str, ...] = TESTED) -> str | None:
    """Say where groups stand both among the scans learned from and among those tested on."""
    touched, of = _touched(table, LEARNED, tested)
    if not touched:
        return None
    return (
        f"{WORD}: {touched} of {of} test scans belong to a group (a patient, or copies of one image) "
        "that was also learned from or calibrated on. The figures are too good."
    )


def calibration_leak(table: Collection) -> str | None:
    """Say where groups stand both among the scans learned from and among those for the threshold."""
    touched, of = _touched(table, ("train",), ("threshold",))
    if not touched:
        return None
    return (
        f"{WORD}: {touched} of {of} scans for the threshold belong to a group (a patient, or copies "
        "of one image) that is also learned from. The threshold comes out too low: its promise does not hold."
    )


def _touched(
    table: Collection, learned: Container[str | None], tested: Container[str | None]
) -> tuple[int, int]:
    """Return how many scans of the splits tested have a group in the splits learned from, and of how many."""
    groups = {row.group for row in table if row.split in learned and row.group is not None}
    rows = [row for row in table if row.split in tested]
    return sum(row.group in groups for row in rows), len(rows)


def learned_note(touched: int, tested: int) -> str | None:
    """Say how many files that are tested on are ones that the Screener learned from or was calibrated on."""
    if not touched:
        return None
    return (
        f"{WORD}: {touched} of {tested} test scans are files that this Screener learned from or was "
        "calibrated on. The figures are too good."
    )


def demand_no_leak(source: str, leaks: Iterable[str], *, allow: bool) -> None:
    """Raise BadTable where anything leaks, unless that is allowed, saying what to do."""
    found = tuple(leaks)
    if found and not allow:
        raise BadTable(
            f"{source}: expected groups that stay on one side of a split, so that nothing is tested on what "
            f"was learned. {' '.join(found)} Make a table whose groups stay together with 'atypia split', or "
            f"add --allow-leak: every figure is then marked {WORD}."
        )
