"""A copy of a whole set in one frame, one resolution and one kind of file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from atypia.atomic import write_whole
from atypia.destination import claim_folder, replacing
from atypia.equalising.copy_writer import CopyWriter, LeftOut
from atypia.equalising.equaliser import MARGIN, Equaliser, head_extent
from atypia.equalising.settings import LEAST_RESOLUTION, Settings
from atypia.errors import BadOption, NotEnoughScans, UnreadableScan
from atypia.in_order import in_order
from atypia.notice import RESEARCH_USE_ONLY
from atypia.progress import progress
from atypia.reading.collection import Collection, Row
from atypia.reading.row import real_paths
from atypia.reading.rows import read_row
from atypia.reading.table import write_table

SCHEMA = 1
TABLE, RECORD = "table.csv", "equalised.json"
_WORKERS, _AHEAD = 2, 48
_FEW = 5.0


@dataclass(frozen=True)
class Equalised:
    """What was written: the rows of the table, the scans without a copy, and the common `resolution`.

    `finer` is the resolution if 5 percent of the scans, those of the smallest heads, were left out.
    """

    rows: tuple[Row, ...]
    left_out: tuple[LeftOut, ...]
    resolution: int
    finer: int
    table: Path

    @property
    def failed(self) -> tuple[LeftOut, ...]:
        """The scans that could not be read."""
        return tuple(one for one in self.left_out if not one.coarse)


def equalise(collection: Collection, out: Path, settings: Settings | None = None) -> Equalised:
    """Write copies of all scans into `out`, with `table.csv` and, last, `equalised.json`.

    Copies are `images/NNNNN.png` and `masks/NNNNN.png`, numbered in an order that says nothing of the set's;
    the table keeps the set's order, and what it says of each scan but its name, which stands in the column
    `source`. A scan, or its mask, that cannot be read is left out and told.
    Raises BadOption where `out` holds the scans themselves or anything that is not such a set, NotEnoughScans
    where no scan is left, and OutputError where a file cannot be written.
    """
    settings = settings or Settings()
    _refuse_mixture(collection, out)
    claim_folder(out)
    extents, left_out = _measured(collection)
    if not extents:
        raise _nothing(collection)
    resolution = settings.resolution or _shown(extents, settings.side, settings.leave_out)
    finer = max(resolution, _shown(extents, settings.side, _FEW))
    kept = {place: extent for place, extent in extents.items() if extent >= resolution}
    for place in extents.keys() - kept.keys():
        why = f"its head covers {extents[place]:.0f} pixels, fewer than the {resolution} that all others show"
        left_out[place] = LeftOut(collection.rows[place], why, coarse=True)
    writer = CopyWriter(out, settings, Equaliser(settings.side, resolution, settings.around))
    rows: list[tuple[str, Row]] = []
    _begin(out)
    with replacing(out, "images/*", "masks/*"):
        tasks = list(
            zip((collection.rows[place] for place in sorted(kept)), _numbers(len(kept)), strict=True)
        )
        written = in_order(writer.write, tasks, workers=_WORKERS, ahead=_AHEAD)
        for place, done in zip(
            sorted(kept), progress(written, total=len(tasks), label="writing"), strict=True
        ):
            if isinstance(done, Row):
                rows.append((collection.rows[place].name, done))
            else:
                left_out[place] = done
        if not rows:
            raise _nothing(collection)
        missing = tuple(left_out[place] for place in sorted(left_out))
        table = out / TABLE
        write_table([row for _, row in rows], table, out, extra={"source": [name for name, _ in rows]})
        result = Equalised(tuple(row for _, row in rows), missing, resolution, finer, table)
        write_whole(out / RECORD, json.dumps(_record(result, settings, extents), indent=1) + "\n")
    return result


def _measured(collection: Collection) -> tuple[dict[int, float], dict[int, LeftOut]]:
    """Return the extent of each head by the place of its scan, and what could not be read."""

    def look(row: Row) -> float | LeftOut:
        try:
            return head_extent(read_row(row))
        except UnreadableScan as error:
            return LeftOut(row, error.brief)

    looks = in_order(look, collection.rows, workers=_WORKERS, ahead=_AHEAD)
    extents: dict[int, float] = {}
    left_out: dict[int, LeftOut] = {}
    for place, found in enumerate(progress(looks, total=len(collection), label="measuring heads")):
        if isinstance(found, LeftOut):
            left_out[place] = found
        else:
            extents[place] = found
    return extents, left_out


def _shown(extents: dict[int, float], side: int, leave_out: float) -> int:
    """Return what the smallest head covers, in pixels, but for so many percent; the side at most."""
    coarsest = float(np.percentile(list(extents.values()), leave_out, method="lower"))
    return max(LEAST_RESOLUTION, min(side, int(coarsest)))


def _nothing(collection: Collection) -> NotEnoughScans:
    return NotEnoughScans(
        f"{collection.title}: expected at least one scan that can be read and is large enough, received none "
        f"of {len(collection)}. Check the paths, --root where they come from a table, and --resolution."
    )


def _numbers(count: int) -> list[int]:
    """Return the numbers of the copies: in the set's order they would tell one class from the other."""
    return [int(number) for number in np.random.default_rng(0).permutation(count)]


def _refuse_mixture(collection: Collection, out: Path) -> None:
    """Refuse a folder whose files are no copies of ours: they would be mixed with them or replaced."""
    home = Path(os.path.realpath(out))
    sources = [Path(part) for part in collection.source.split(", ")]
    read = [row.path for row in collection] + [row.mask for row in collection if row.mask is not None]
    for path in real_paths([*(source for source in sources if source.is_file()), *read]):
        if Path(path).is_relative_to(home):
            raise BadOption(
                f"{out}: expected a folder apart from the scans, received one that holds {Path(path).name}. "
                "Name another with -o."
            )
    if out.is_dir() and any(out.iterdir()) and not (out / RECORD).is_file():
        raise BadOption(
            f"{out}: expected a new or empty folder, or an earlier copy to be replaced, received one without "
            f"{RECORD}. Name another with -o."
        )


def _begin(out: Path) -> None:
    """Say that the folder is ours and not whole yet; the table of an earlier run goes."""
    write_whole(out / RECORD, json.dumps({"schema": SCHEMA, "complete": False}) + "\n")
    (out / TABLE).unlink(missing_ok=True)


def _record(result: Equalised, settings: Settings, extents: dict[int, float]) -> dict[str, Any]:
    """Return the content of `equalised.json`."""
    percents = (0, 5, 25, 50, 75, 95, 100)
    found = np.percentile(list(extents.values()), percents)
    return {
        "schema": SCHEMA,
        "complete": True,
        "atypia": version("atypia"),
        "notice": RESEARCH_USE_ONLY,
        "settings": asdict(settings) | {"margin": MARGIN},
        "resolution": result.resolution,
        "head_pixels_before": {
            f"p{percent}": round(float(value), 1) for percent, value in zip(percents, found, strict=True)
        },
        "written": len(result.rows),
        "with_mask": sum(row.mask is not None for row in result.rows),
        "too_coarse": sum(one.coarse for one in result.left_out),
        "unreadable": len(result.failed),
        "left_out": list(_told(result.left_out)),
    }


def _told(left_out: tuple[LeftOut, ...]) -> Iterator[dict[str, str]]:
    for one in left_out:
        yield {"source": one.row.name, "reason": "too coarse" if one.coarse else "unreadable", "why": one.why}
