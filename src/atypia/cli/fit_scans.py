"""Which scans `fit` may learn from, and in which groups: what would mislead is refused with what to type."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from atypia.cli.clustering import clustered
from atypia.cli.options import to_type
from atypia.errors import BadOption, BadTable

if TYPE_CHECKING:
    from atypia.reading.collection import Collection


def refuse_tumours(scans: tuple[Path, ...], collection: Collection, out: Path) -> None:
    """Raise BadTable for abnormal scans that no split keeps from being learned, with what to type instead."""
    abnormal = collection.select(label="abnormal")
    if collection.has_splits or not len(abnormal):
        return
    told = (
        f"{collection.source}: expected healthy scans alone, or a table with splits; received "
        f"{len(abnormal)} abnormal ones of {len(collection)}, such as {abnormal.rows[0].name}."
    )
    table = out.with_name("table.csv")
    if healthy := _healthy_folders(collection):
        told += f" Learn from the healthy ones alone:\n  {to_type('fit', *healthy, '-o', out)}\nor part them,"
    else:
        told += " Part them,"
    first, second = to_type("split", *scans, "-o", table), to_type("fit", table, "-o", out)
    raise BadTable(f"{told} to learn from some and test on the others:\n  {first}\n  {second}")


def refuse_leaks(collection: Collection, *, allow: bool) -> None:
    """Raise BadTable where groups cross the splits of a table; where that is allowed, say so."""
    from atypia.evaluation.leaks import calibration_leak, demand_no_leak, leak_note

    leaks = [note for note in (leak_note(collection), calibration_leak(collection)) if note]
    demand_no_leak(collection.source, leaks, allow=allow)
    for note in leaks:
        click.echo(note, err=True)


def with_groups(collection: Collection) -> Collection:
    """Give scans without a group that of their near-copies, where copies on two sides would mislead.

    That is where scans must be kept aside, and where a table has splits and names no group at all.
    """
    looked_at = collection
    if collection.has_splits and collection.has_groups:
        if len(collection.select(split="threshold")):
            return collection
        looked_at = collection.select(split="train")
    groups = {row.name: row for row in clustered(looked_at)}
    return replace(collection, rows=tuple(groups.get(row.name, row) for row in collection))


def validation_rows(collection: Collection) -> Collection:
    """Return the rows of the split validation; raise BadOption where there is none."""
    rows = collection.select(split="validation")
    if not len(rows):
        raise BadOption(
            f"--validation: expected rows whose split is validation in {collection.source}, received none. "
            "Make some with 'atypia split --validation', or leave the option out."
        )
    return rows


def _healthy_folders(collection: Collection) -> list[Path]:
    """Return the class folders, if few, that hold all the scans whose folder calls them healthy."""
    from atypia.reading.folder import label_of

    found = {
        folder
        for row in collection.select(label="normal")
        for folder in row.path.parents
        if label_of(folder.name) == "normal"
    }
    return sorted(found) if len(found) <= 3 else []
