"""Strata: healthy scans that were taken alike, each with a threshold of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from atypia.threshold.healthy import HealthyScores


def name_of(how: Mapping[str, str | None], strata: Sequence[str]) -> str | None:
    """Return the name of the stratum of a scan taken so, None where what it needs is not known.

    >>> name_of({"plane": "axial", "sequence": "T1"}, ("plane", "sequence"))
    'plane=axial, sequence=T1'
    """
    values = [how.get(column) for column in strata]
    if any(value is None for value in values):
        return None
    return ", ".join(f"{column}={value}" for column, value in zip(strata, values, strict=True))


def missing(how: Mapping[str, str | None], strata: Sequence[str]) -> str:
    """Return the columns that are not known of a scan, in words."""
    return " and ".join(column for column in strata if how.get(column) is None)


def parts(healthy: HealthyScores, strata: Sequence[str]) -> Iterator[tuple[str, HealthyScores]]:
    """Yield the name and the scores of every stratum that a healthy scan belongs to."""
    names = [
        name_of({column: healthy.taken[column][place] for column in strata}, strata)
        for place in range(len(healthy))
    ]
    for name in sorted({name for name in names if name is not None}):
        yield name, healthy.chosen([found == name for found in names])
