"""Which healthy scans a detector learns from, and which are kept aside for the threshold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from atypia.datasets.split import calibration_split
from atypia.errors import BadTable, NotEnoughScans, UnreadableScan
from atypia.loading import Loaded
from atypia.reading.collection import Collection, Row
from atypia.reading.volumes import is_volume, list_slices
from atypia.scan import Scan
from atypia.threshold import FEWEST as FEWEST_CALIBRATION

FEWEST = 20
CALIBRATION_SHARE = 0.2

Scans = Collection | Sequence[Scan]
Items = Sequence[Row | Scan]


def part_scans(scans: Scans, calibration: Scans | None, seed: int) -> tuple[Items, Items]:
    """Return those to learn from and those for the threshold; groups stay together.

    What the caller named for the calibration is taken as it is; of a collection with splits, the rows
    `train` and `threshold`; else a fifth is kept aside.
    Raises BadTable where an abnormal scan would be used, NotEnoughScans where there is nothing to part.
    """
    if calibration is not None:
        parts: tuple[Items, Items] = list(scans), list(calibration)
    elif isinstance(scans, Collection):
        parts = _of_collection(scans, seed)
    else:
        parts = _of_scans(scans, seed)
    for part in parts:
        _demand_healthy(part, scans)
    return parts


def demand_enough(train: int, calibration: int, failed: Sequence[Loaded]) -> None:
    """Raise NotEnoughScans where too few scans could be read, naming some of those that could not."""
    if train + calibration < FEWEST:
        expected, received = f"{FEWEST} usable healthy scans", train + calibration
    elif calibration < FEWEST_CALIBRATION:
        expected, received = f"{FEWEST_CALIBRATION} usable healthy scans for the threshold", calibration
    else:
        return
    told = "".join(f"\n  {item.error}" for item in failed[:5])
    raise NotEnoughScans(
        f"Expected at least {expected}, received {received} "
        f"({len(failed)} could not be read). Give a folder or table with more.{told}"
    )


def _of_collection(scans: Collection, seed: int) -> tuple[Items, Items]:
    if not scans.has_splits:
        _demand_healthy(scans.rows, scans)
        return _share(scans, seed)
    train, held_out = scans.select(split="train"), scans.select(split="threshold")
    if not len(train):
        raise BadTable(f"{scans.source}: expected rows whose split is train, received none.")
    return (train.rows, held_out.rows) if len(held_out) else _share(train, seed)


def _of_scans(scans: Sequence[Scan], seed: int) -> tuple[Items, Items]:
    rows = (Row(Path(scan.name), str(place), group=scan.group) for place, scan in enumerate(scans))
    train, held_out = _share(Collection(tuple(rows), "the scans given"), seed)
    return [scans[int(row.name)] for row in train], [scans[int(row.name)] for row in held_out]


def _share(scans: Collection, seed: int) -> tuple[Sequence[Row], Sequence[Row]]:
    if len(scans) < FEWEST:
        raise NotEnoughScans(
            f"{scans.source}: expected at least {FEWEST} healthy scans, received {len(scans)}. "
            f"Give a folder or table with more.{''.join(_unparted(scans))}"
        )
    fewest = FEWEST_CALIBRATION / max(len(scans), FEWEST)
    train, held_out = calibration_split(scans, max(CALIBRATION_SHARE, fewest), seed)
    return train.rows, held_out.rows


def _unparted(scans: Collection) -> Iterator[str]:
    """Yield why the first few volumes gave no slices."""
    for row in [row for row in scans if row.slice is None and is_volume(row.path) and row.path.exists()][:3]:
        try:
            list_slices(row)
        except UnreadableScan as error:
            yield f"\n  {error}"


def _demand_healthy(part: Items, scans: Scans) -> None:
    abnormal = sum(isinstance(item, Row) and item.label == "abnormal" for item in part)
    if abnormal:
        source = scans.source if isinstance(scans, Collection) else "the scans given"
        raise BadTable(
            f"{source}: expected healthy scans alone to learn from, received {abnormal} labelled abnormal. "
            "Give the folder of the healthy ones, or make a table with 'atypia split'."
        )
