"""`phantom`: synthetic brain slices on disk."""

from __future__ import annotations

from pathlib import Path

import click

from atypia.cli import options
from atypia.cli.command import Taught
from atypia.notice import SYNTHETIC

SEQUENCES = ("T1", "T1c", "T2", "FLAIR")


@click.command(
    cls=Taught,
    short_help="Write a set of synthetic brain slices.",
    examples=(
        "atypia phantom -o phantom",
        "atypia phantom -o flair --healthy 500 --abnormal 100 --sequence FLAIR --seed 7",
    ),
)
@options.out("FOLDER", "Folder for healthy/, abnormal/, masks/, table.csv and README.txt.")
@options.whole("--healthy", "Number of healthy slices.", least=1, default=200)
@options.whole("--abnormal", "Number of slices with a tumour.", least=0, default=60)
@click.option(
    "--sequence",
    "sequences",
    type=click.Choice(SEQUENCES),
    multiple=True,
    help="Contrast of the slices; may be given again. Default: all, in turn.",
)
@options.seed
def phantom(out: Path, healthy: int, abnormal: int, sequences: tuple[str, ...], seed: int) -> None:
    """Render brain slices from a real template: healthy, and with four kinds of tumour and their masks.

    It needs the extra 'demo'. The table has splits: 60 % of the healthy slices are to learn from, 20 % for
    the threshold, and the others, with all tumours, for the test. All share one anatomy: figures on the
    phantom say that the machinery works, not how good a detector is.
    """
    from atypia.datasets.phantom import write_phantom
    from atypia.destination import claim_folder

    claim_folder(out)
    rows = write_phantom(out, healthy=healthy, abnormal=abnormal, seed=seed, sequences=sequences or SEQUENCES)
    table = out / "table.csv"
    click.echo(
        f"{len(rows)} slices, listed in {table}\n{SYNTHETIC}\nnext: atypia fit {table} -o brain.atypia"
    )
