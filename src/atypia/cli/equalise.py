"""`equalise`: a copy of a set whose scans size and file no longer tell apart."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from atypia.cli import options
from atypia.cli.aside import tell_aside
from atypia.cli.command import Taught
from atypia.notice import RESEARCH_USE_ONLY

if TYPE_CHECKING:
    from atypia.equalising import Equalised

SHOWN, MUCH = 10, 1.25


@click.command(
    cls=Taught,
    short_help="Copy a set so that size and file tell nothing.",
    examples=(
        "atypia equalise table.csv --root images/ -o equal",
        "atypia equalise brain-mri/ -o equal --resolution 128",
        "atypia evaluate brain.atypia equal/table.csv -o out",
    ),
    glossary={
        "What it writes": [
            ("images/", "each head, cropped, in one size and resolution, grey, 8 bits, without metadata"),
            ("masks/", "the masks of the table, cropped alike"),
            ("table.csv", "what the table said of each scan; its name stands in the column source"),
            ("equalised.json", "what was done, and which scans were left out, and why"),
        ],
        "What stays": [
            ("contrast, noise, texture", "of the scanner, the sequence and the way a picture came to the set")
        ],
    },
)
@click.argument("scans", nargs=-1, required=True, type=options.PATH)
@options.out("FOLDER", "New folder for the copy; an earlier copy there is replaced.")
@options.root
@options.whole("--side", "Pixels a side of the pictures.", least=32, default=224)
@options.whole(
    "--resolution",
    "Pixels a side that the pictures really show. Default: as many as the smallest head covers, and those "
    "of --side at most.",
    least=16,
)
@click.option(
    "--leave-out",
    type=float,
    metavar="X",
    default=0.0,
    help="Percent of the scans, those of the smallest heads, to be left out so that the others keep a better "
    "resolution. They may all be of one class.",
)
@click.option(
    "--around",
    type=click.Choice(("blank", "keep")),
    default="blank",
    help="What becomes of all that lies apart from the head.",
)
@click.option("--format", "kind", type=click.Choice(("png", "jpeg")), default="png", help="Kind of picture.")
@click.option(
    "--quality", type=click.IntRange(1, 100), metavar="N", default=90, help="Quality, where that is jpeg."
)
def equalise(
    scans: tuple[Path, ...],
    out: Path,
    root: Path | None,
    side: int,
    resolution: int | None,
    leave_out: float,
    around: Literal["blank", "keep"],
    kind: Literal["png", "jpeg"],
    quality: int,
) -> None:
    """Write a copy of a set in which scans differ no more by size, shape, border, resolution or file.

    SCANS are folders, pictures, volumes or tables. Every head is cropped as 'atypia fit' crops it, and
    reduced to the resolution of the coarsest. Scans that cannot be read, or that are coarser still, are left
    out and told. The exit code is 1 where some could not be read.
    """
    from atypia.equalising import Settings
    from atypia.equalising import equalise as copy
    from atypia.reading.collection import read_collections

    settings = Settings(side, resolution, leave_out, around, kind, quality)
    collection = read_collections(scans, root=root)
    tell_aside(collection)
    done = copy(collection, out, settings)
    _tell(done, side)
    click.get_current_context().exit(1 if done.failed else 0)


def _tell(done: Equalised, side: int) -> None:
    masks = sum(row.mask is not None for row in done.rows)
    click.echo(
        f"{len(done.rows):,} scans, {masks:,} with a mask, {side}x{side} pixels, resolution {done.resolution}"
    )
    if done.finer >= MUCH * done.resolution:
        click.echo(f"the smallest heads are coarse: --leave-out 5 gives a resolution of {done.finer}")
    coarse = len(done.left_out) - len(done.failed)
    if coarse:
        labels = sorted({one.row.label or "no label" for one in done.left_out if one.coarse})
        told = ", ".join(f"{_count(done, label):,} {label}" for label in labels)
        click.echo(f"left out, too coarse: {coarse:,} ({told})")
    for one in done.failed[:SHOWN]:
        click.echo(f"atypia: {one.why}", err=True)
    if len(done.failed) > SHOWN:
        click.echo(f"atypia: {len(done.failed) - SHOWN:,} more: see equalised.json", err=True)
    click.echo(f"saved {done.table}\n{RESEARCH_USE_ONLY}")


def _count(done: Equalised, label: str) -> int:
    return sum(one.coarse and (one.row.label or "no label") == label for one in done.left_out)
