"""One scan as a folder or a table lists it, before it is read."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from atypia.reading.cutting import WHOLE

LABELS = ("normal", "abnormal")
SPLITS = ("train", "threshold", "validation", "test", "tumor_test")
STRATA = ("plane", "sequence", "scanner")
HEALTHY_SPLITS = ("train", "threshold")


@dataclass(frozen=True, slots=True)
class Row:
    """Where a scan is and what is said of it.

    `name` is unique in its collection and joins a Row to its Finding.
    `label` is `normal`, `abnormal` or unknown; `split` is one of SPLITS.
    `group` names the patient, or the cluster of near-copies, that must not cross splits.
    `kind` is any finer class, for strata; `mask` is a picture of what is abnormal.
    `plane`, `sequence` and `scanner` say how it was taken, where the table knows: strata as well.
    Of a volume, `path` is its file and each row is one slice: `slice` counts along the grid's own axis across
    `plane`. A row of a volume without it is one that was not parted into slices, as where it cannot be read.
    `volume` names one of several in its file: by its number, from 0, or `mean` for the mean of all.
    `strip` is the method by which scalp and skull are taken off the volume first.
    """

    path: Path
    name: str
    label: str | None = None
    split: str | None = None
    group: str | None = None
    kind: str | None = None
    mask: Path | None = None
    plane: str | None = None
    sequence: str | None = None
    scanner: str | None = None
    slice: int | None = None
    volume: str | None = None
    strip: str = WHOLE


def with_own_names(rows: Sequence[Row]) -> list[Row]:
    """Number those whose names are the same, as those of files may be whose names are no text.

    >>> [row.name for row in with_own_names([Row(Path("a"), "a"), Row(Path("b"), "a")])]
    ['a', 'a (2)']
    """
    if len({row.name for row in rows}) == len(rows):
        return list(rows)
    taken = {row.name for row in rows}
    seen: Counter[str] = Counter()
    told = []
    for row in rows:
        seen[row.name] += 1
        name = row.name
        while seen[row.name] > 1 and (name := f"{row.name} ({seen[row.name]})") in taken:
            seen[row.name] += 1
        taken.add(name)
        told.append(replace(row, name=name))
    return told


def real_paths(paths: Iterable[Path]) -> Iterator[str]:
    """Yield each path with `..` and links resolved, so that one file has one path.

    Every folder is resolved once: resolving whole paths costs seconds for a hundred thousand files.
    """
    folders: dict[Path, str] = {}
    for path in paths:
        if path.parent not in folders:
            folders[path.parent] = os.path.realpath(path.parent)
        leaf = Path(folders[path.parent], path.name)
        yield os.path.realpath(leaf) if os.path.islink(leaf) else str(leaf)  # noqa: PTH114 - tells of odd names
