"""What came of many scans, counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True)
class Tally:
    """What came of a folder of scans, and where its tables are; `judged` counts neither other kind.

    `folders` are those with results of volumes. `left_out` says, by the kind of a result that was asked for,
    why it was not made of some scan. `kept` of the `judged`, `unreadable` and `unfit` were done by an earlier
    run that was interrupted. `lost` processes died on the way, and others judged what they were at.
    """

    judged: int
    flagged: int
    unreadable: int
    table: Path
    regions: int = 0
    regions_table: Path | None = None
    unfit: int = 0
    volumes: int = 0
    volumes_table: Path | None = None
    volume_regions: int = 0
    volume_regions_table: Path | None = None
    folders: tuple[Path, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)
    kept: int = 0
    lost: int = 0


NUMBERS = ("judged", "flagged", "unreadable", "unfit", "regions", "volumes", "volume_regions")


@dataclass(frozen=True)
class Counts:
    """The same of one shard, as data: the NUMBERS by name; `folders` are named from that of the results."""

    numbers: dict[str, int]
    folders: tuple[str, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Return what `to_dict` gave; raise KeyError, TypeError or ValueError for anything else."""
        numbers = {name: int(values["numbers"][name]) for name in NUMBERS}
        return cls(numbers, tuple(map(str, values["folders"])), dict(values["left_out"]))


def total(parts: Iterable[Counts]) -> Counts:
    """Return what came of several shards together."""
    numbers, folders, left_out = dict.fromkeys(NUMBERS, 0), set[str](), dict[str, str]()
    for part in parts:
        numbers = {name: numbers[name] + part.numbers[name] for name in NUMBERS}
        folders.update(part.folders)
        left_out |= part.left_out
    return Counts(numbers, tuple(sorted(folders)), left_out)
