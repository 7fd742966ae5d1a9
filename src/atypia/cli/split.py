"""`split`: which scans are learned from, which calibrate, and which test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from atypia.cli import options
from atypia.cli.aside import tell_aside
from atypia.cli.clustering import clustered
from atypia.cli.command import Taught

if TYPE_CHECKING:
    from atypia.reading.collection import Collection

SPLITS = ("train", "threshold", "validation", "test", "tumor_test")


def _size(name: str, default: float, help: str) -> Callable[[options.Command], options.Command]:
    return click.option(name, type=float, callback=_checked_size, metavar="SIZE", default=default, help=help)


def _checked_size(context: click.Context, parameter: click.Parameter, value: float) -> float:
    """Return 0, a share below 1 or a whole number; refuse anything else."""
    if 0 <= value < 1 or (value >= 1 and value.is_integer()):
        return value
    expected = "expected a share below 1 or a whole number of scans"
    raise click.BadParameter(f"{expected}, received {value:g}.", context, parameter)


@click.command(
    cls=Taught,
    short_help="Assign scans to train, threshold, validation and test.",
    examples=(
        "atypia split brain-mri/ -o table.csv",
        "atypia split brain-mri/ -o table.csv --train 1400 --threshold 200 --test 200",
        "atypia split patients.csv --root images/ -o splits.parquet --test 0.3 --seed 7",
    ),
)
@click.argument("scans", nargs=-1, required=True, type=options.PATH)
@options.out("FILE", "Table to write, .csv or .parquet; its paths are relative to its own folder.")
@options.root
@_size("--train", 0.7, "Healthy scans to learn from; those that no split claims come on top.")
@_size("--threshold", 0.15, "Healthy scans to calibrate the threshold with.")
@_size("--validation", 0, "Healthy scans to watch training with, and as many abnormal ones.")
@_size("--test", 0.15, "Healthy scans to test on, and as many abnormal ones; the others are tumor_test.")
@click.option(
    "--by-group/--by-image", default=True, help="Keep the scans of a group, as of one patient, in one split."
)
@options.cluster
@options.seed
def split(
    scans: tuple[Path, ...],
    out: Path,
    root: Path | None,
    by_group: bool,
    cluster: bool,
    seed: int,
    **sizes: float,
) -> None:
    """Write a table that says which scans are learned from, which calibrate, and which test.

    SCANS are folders with class folders (healthy, tumor, ...), or tables with the column label. A SIZE is a
    share of the healthy scans, or a number of them. Only healthy scans go to train and threshold, and no
    group stands in two splits; near-copies are the groups of scans that name none. The same seed gives the
    same table.
    """
    from atypia.datasets.split import split_collection
    from atypia.reading.collection import read_collections, write_collection

    asked = {name: size for name, size in sizes.items() if size}
    collection = read_collections(scans, root=root)
    tell_aside(collection)
    if cluster and by_group:
        collection = clustered(collection)
    table = split_collection(collection, sizes=asked, seed=seed, by_group=by_group)
    write_collection(table, out)
    _tell(table, out)


def _tell(table: Collection, out: Path) -> None:
    if not table.has_groups:
        click.echo(
            "No groups are known: slices of one patient, or copies of one slice, may stand in two splits.",
            err=True,
        )
    for name in SPLITS:
        chosen = table.select(split=name)
        if len(chosen):
            normal = len(chosen.select(label="normal"))
            click.echo(f"{name:10}{normal:7} normal{len(chosen) - normal:7} abnormal")
    click.echo(f"saved {out}\nnext: atypia fit {out} -o brain.atypia")
