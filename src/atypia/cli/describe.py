"""`describe`: how scans were taken, as a table."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from atypia.cli import options
from atypia.cli.aside import tell_aside
from atypia.cli.command import Taught
from atypia.notice import RESEARCH_USE_ONLY

if TYPE_CHECKING:
    from atypia.recognition.describing import Described


@click.command(
    cls=Taught,
    short_help="Name the plane of scans, where no header tells.",
    examples=(
        "atypia describe brain-mri/ -o table.csv",
        "atypia describe table.csv --root images/ -o named.csv",
        "atypia fit named.csv -o brain.atypia --rule conformal --strata plane",
    ),
    glossary={
        "Columns beside those of the scans": [
            ("plane", "axial, coronal or sagittal: what SCANS said, else what is seen, where that is sure"),
            ("plane_confidence", "of what is seen, 0 to 1; it is sure from 0.8 on"),
            (
                "sequence_guess",
                "T1 (enhanced or not), T2 or FLAIR: a guess that often errs; sequence stays empty",
            ),
            ("sequence_confidence", "of the guess, 0 to 1"),
        ]
    },
)
@click.argument("scans", nargs=-1, required=True, type=options.PATH)
@options.out("FILE", "Table to write, .csv or .parquet; its paths are relative to its own folder.")
@options.root
def describe(scans: tuple[Path, ...], out: Path, root: Path | None) -> None:
    """Look at scans and write a table that says in which plane they were taken.

    SCANS are folders, pictures, volumes or tables; what they say of a scan is kept. The exit code is 1 where
    some scan could not be read: its row has no plane then.
    """
    from atypia.destination import claim_file
    from atypia.reading.collection import read_collections
    from atypia.reading.table import write_table
    from atypia.recognition.describing import describe as look

    collection = read_collections(scans, root=root)
    tell_aside(collection)
    claim_file(out)
    described = look(collection.rows)
    write_table([one.named for one in described], out, out.parent, extra=_confidences(described))
    planes = Counter(one.named.plane or "unsure" for one in described)
    click.echo(", ".join(f"{count:,} {plane}" for plane, count in planes.most_common()))
    errors = [one.error for one in described if one.error is not None]
    for error in errors:
        click.echo(f"atypia: {error}", err=True)
    click.echo(f"saved {out}\n{RESEARCH_USE_ONLY}")
    click.get_current_context().exit(1 if errors else 0)


def _confidences(described: list[Described]) -> dict[str, list[str | None]]:
    seen = [one.recognised for one in described]
    return {
        "plane_confidence": [f"{one.plane_confidence:.3f}" if one else None for one in seen],
        "sequence_guess": [one.sequence if one else None for one in seen],
        "sequence_confidence": [f"{one.sequence_confidence:.3f}" if one else None for one in seen],
    }
